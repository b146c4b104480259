/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/accept.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Work that a request may cause, in bytes, per byte of it; and what even the smallest one may. */
#define BUDGET_FACTOR 8u
#define BUDGET_LEAST  (256u * 1024u)

int accept_refuse(const struct acceptor *acceptor, const char *sentence)
{
    const struct cordon_plan_param *param =
        plan_function_param(acceptor->call->plan, acceptor->function, acceptor->param);
    return message_set(acceptor->why, -EBADMSG, "frame of '%s': parameter '%s' %s",
                       plan_name(acceptor->call->plan, acceptor->function->name),
                       plan_name(acceptor->call->plan, param->name), sentence);
}

int accept_callback(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t word,
                    void **ret_code)
{
    const struct frame_hooks *hooks = acceptor->call->hooks;
    *ret_code = NULL;
    if (word == 0) {
        return 0;
    }
    if (!hooks || !hooks->word_to_code) {
        return accept_refuse(acceptor, "is a callback, and none can be taken here");
    }
    return hooks->word_to_code(hooks->context, acceptor->call->plan, type, word, ret_code,
                               acceptor->why);
}

/* A pointer into parameter `within`, whose memory is there already. */
static int accept_within(struct acceptor *acceptor, const struct cordon_plan_type *type,
                         uint64_t word, uint64_t *ret_native)
{
    const struct frame_call *call = acceptor->call;
    *ret_native = 0;
    if (word == 0) {
        return 0;
    }
    uint32_t base = type->within;
    assert(base < acceptor->function->param_count); /* plans are checked */
    if (!acceptor->scratch || call->storage[base] == 0 ||
        word - 1 > acceptor->scratch->param_bytes[base]) {
        return accept_refuse(acceptor, "points outside the argument that it belongs to");
    }
    *ret_native = call->storage[base] + (word - 1);
    return 0;
}

/* What travels in a word, native. WITHIN waits for its base and is done last. */
static int accept_opaque(struct acceptor *acceptor, const struct cordon_plan_type *type,
                         uint64_t word, uint64_t *ret_native)
{
    const struct frame_call *call = acceptor->call;
    void *native = NULL;
    int r = 0;
    if (scalar_is(type->kind)) {
        *ret_native = word;
        return scalar_fits(type->kind, word)
                   ? 0
                   : accept_refuse(acceptor, "is not what its type holds");
    }
    switch (type->kind) {
    case CORDON_PLAN_HANDLE:
        r = word_to_object(call->hooks, call->plan, type, word, &native, acceptor->why);
        break;
    case CORDON_PLAN_CALLBACK:
        r = accept_callback(acceptor, type, word, &native);
        break;
    case CORDON_PLAN_TOKEN:
        native = pointer_from_word(word);
        break;
    default:
        break;
    }
    *ret_native = (uint64_t)(uintptr_t)native;
    return r;
}

static int accept_word(struct acceptor *acceptor, const struct cordon_plan_param *param,
                       const struct cordon_plan_type *type, uint32_t index)
{
    struct frame_call *call = acceptor->call;
    uint64_t word = param->in_word == CORDON_PLAN_NO_WORD ? 0 : call->words[param->in_word];
    if (type->kind != CORDON_PLAN_POINTER) {
        return accept_opaque(acceptor, type, word, &call->storage[index]);
    }
    call->storage[index] = (uint64_t)(uintptr_t)&call->pointees[index];
    call->pointees[index] = 0;
    return word == 0 ? 0
                     : accept_opaque(acceptor, pointer_target(call->plan, type), word,
                                     &call->pointees[index]);
}

/* `inout T **`: what is owned, the library may free or grow, so that is malloc'ed, not scratch. */
static int accept_owned(struct acceptor *acceptor, const struct cordon_plan_type *type,
                        uint64_t place, uint32_t index)
{
    struct frame_call *call = acceptor->call;
    struct cordon_plan_type target = *pointer_target(call->plan, type);
    void *copy = NULL;
    uint64_t bytes = 0;
    target.direction = CORDON_PLAN_IN;
    bool owned = (target.flags | type->flags) & CORDON_PLAN_OWNED;
    target.flags &= ~(uint32_t)(CORDON_PLAN_KEPT | CORDON_PLAN_CONST);
    call->storage[index] = (uint64_t)(uintptr_t)&call->pointees[index];
    call->pointees[index] = 0;
    if (place == 0) {
        return 0;
    }
    int r = target.kind == CORDON_PLAN_STRING
                ? accept_string(acceptor, &target, place, &acceptor->scope, &copy, &bytes)
                : accept_pointer(acceptor, &target, place, &acceptor->scope, &copy, &bytes);
    if (r < 0) {
        return r;
    }
    if (!owned) {
        call->pointees[index] = (uint64_t)(uintptr_t)copy;
        return 0;
    }
    uint64_t room = 0;
    if (target.kind == CORDON_PLAN_STRING && target.code != CORDON_PLAN_NONE &&
        scope_evaluate(&acceptor->scope, target.code, &room) < 0) {
        room = 0;
    }
    if (room > LIMIT_STRING_BYTES + 1ull) {
        return accept_refuse(acceptor, "wants more room than LIMIT_STRING_BYTES");
    }
    uint8_t *memory = calloc(1, room > bytes ? room : bytes + 1);
    if (!memory) {
        return -ENOMEM;
    }
    memcpy(memory, copy, bytes);
    call->pointees[index] = (uint64_t)(uintptr_t)memory;
    acceptor->scratch->owned_inputs |= 1ull << index;
    return 0;
}

static int accept_place(struct acceptor *acceptor, const struct cordon_plan_param *param,
                        const struct cordon_plan_type *type, uint32_t index)
{
    struct frame_call *call = acceptor->call;
    uint64_t place = param->in_word == CORDON_PLAN_NO_WORD ? 0 : call->words[param->in_word];
    uint64_t *bytes = &acceptor->scratch->param_bytes[index];
    void *native = NULL;
    int r;
    switch (param->passing) {
    case CORDON_PLAN_PASS_VARARGS:
        call->arguments[index] = NULL;
        return accept_variadic(acceptor, type, place);
    case CORDON_PLAN_PASS_DYNAMIC:
        return accept_owned(acceptor, type, place, index);
    default:
        break;
    }
    if (type->kind == CORDON_PLAN_STRUCT) {
        r = accept_struct(acceptor, type, place, &native);
        call->arguments[index] = native;
        return r;
    }
    r = type->kind == CORDON_PLAN_STRING
            ? accept_string(acceptor, type, place, &acceptor->scope, &native, bytes)
            : accept_pointer(acceptor, type, place, &acceptor->scope, &native, bytes);
    call->storage[index] = (uint64_t)(uintptr_t)native;
    return r;
}

static int accept_withins(struct acceptor *acceptor)
{
    struct frame_call *call = acceptor->call;
    for (uint32_t i = 0; i < acceptor->function->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(call->plan, acceptor->function, i);
        const struct cordon_plan_type *type = plan_type(call->plan, param->type);
        if (param->passing != CORDON_PLAN_PASS_WORD || param->in_word == CORDON_PLAN_NO_WORD) {
            continue;
        }
        uint64_t *native = &call->storage[i];
        if (type->kind == CORDON_PLAN_POINTER) {
            type = pointer_target(call->plan, type);
            native = &call->pointees[i];
        }
        if (type->kind != CORDON_PLAN_WITHIN) {
            continue;
        }
        acceptor->param = i;
        int r = accept_within(acceptor, type, call->words[param->in_word], native);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int judge_header(const struct frame_call *call, const struct cordon_plan_function *function,
                        struct message *why)
{
    struct frame_header header;
    if (!call->request || call->request_bytes < request_start(function)) {
        return message_set(why, -EBADMSG, "frame of '%s': the request is too short",
                           plan_name(call->plan, function->name));
    }
    memcpy(&header, call->request, sizeof header);
    if (header.magic != FRAME_MAGIC || header.version != FRAME_VERSION ||
        header.frame_bytes > call->request_bytes || header.word_count != function->in_words) {
        return message_set(why, -EBADMSG, "frame of '%s': the header is no frame's",
                           plan_name(call->plan, function->name));
    }
    if (header.layout_hash != plan_header(call->plan)->layout_hash ||
        header.function != call->function) {
        return message_set(why, -EBADMSG, "frame of '%s': made by another plan",
                           plan_name(call->plan, function->name));
    }
    if (call->reply_fixed > call->reply_bytes_max ||
        (call->reply_bytes_max > 0 &&
         (!call->reply || call->reply_fixed < reply_start(function)))) {
        return message_set(why, -EBADMSG, "frame of '%s': the reply has no room for its words",
                           plan_name(call->plan, function->name));
    }
    return 0;
}

static __attribute__((noinline)) int accept_all(struct frame_call *call, struct message *why)
{
    struct acceptor acceptor = {
        .call = call,
        .function = plan_function(call->plan, call->function),
        .why = why,
        .scope =
            {
                .plan = call->plan,
                .function = plan_function(call->plan, call->function),
                .hooks = call->hooks,
                .outer = &call->outer,
                .words = call->words,
                .request = call->request,
                .request_bytes = call->request_bytes,
            },
    };
    if (!(acceptor.function->flags & CORDON_PLAN_MAILBOX)) {
        int r = judge_header(call, acceptor.function, why);
        if (r < 0) {
            return r;
        }
        uint64_t travels = (uint64_t)call->request_bytes + call->reply_fixed;
        acceptor.scratch = scratch_new(travels * BUDGET_FACTOR + BUDGET_LEAST);
        if (!acceptor.scratch) {
            return -ENOMEM;
        }
        call->scratch = acceptor.scratch;
    }
    for (uint32_t i = 0; i < acceptor.function->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(call->plan, acceptor.function, i);
        const struct cordon_plan_type *type = plan_type(call->plan, param->type);
        acceptor.param = i;
        call->arguments[i] = &call->storage[i];
        /* No scratch is MAILBOX, which only has words: plans are checked. */
        assert(acceptor.scratch || param->passing == CORDON_PLAN_PASS_WORD);
        int r = param->passing == CORDON_PLAN_PASS_WORD ? accept_word(&acceptor, param, type, i)
                                                        : accept_place(&acceptor, param, type, i);
        if (r < 0) {
            return r;
        }
    }
    return accept_withins(&acceptor);
}

int frame_accept(struct frame_call *call, struct message *why)
{
    const struct cordon_plan_function *function = plan_function(call->plan, call->function);
    call->scratch = NULL;
    call->variadic.count = 0;
    if (!(function->flags & CORDON_PLAN_MAILBOX)) {
        return accept_all(call, why);
    }
    const struct cordon_plan_param *params = plan_param(call->plan, function->first_param);
    const struct cordon_plan_type *types = plan_type(call->plan, 0);
    const uint64_t *words = call->words;
    uint32_t count = function->param_count;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t kind = types[params[i].type].kind;
        uint64_t word = scalar_is(kind) ? words[params[i].in_word] : 0;
        if (!scalar_is(kind) || !scalar_fits(kind, word)) {
            return accept_all(call, why);
        }
        call->storage[i] = word;
        call->arguments[i] = &call->storage[i];
    }
    return 0;
}

void frame_finish(struct frame_call *call)
{
    struct frame_scratch *scratch = call->scratch;
    if (!scratch) {
        return;
    }
    for (uint32_t i = 0; scratch->owned_inputs != 0; i++, scratch->owned_inputs >>= 1) {
        if (scratch->owned_inputs & 1) {
            free(pointer_from_word(call->pointees[i]));
        }
    }
    scratch_free(scratch);
    call->scratch = NULL;
}
