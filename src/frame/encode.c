/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/encode.h"

#include "base/limits.h"
#include "frame/given.h"

#include <errno.h>

/* How many arguments there are, and where those of `...` stand. */
static int count_arguments(struct encoder *encoder)
{
    const struct cordon_plan_function *function = encoder->function;
    encoder->variadic_at = SIZE_MAX;
    encoder->variadic_count = 1;
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(encoder->plan, function, i);
        if (param->passing == CORDON_PLAN_PASS_VARARGS) {
            encoder->variadic_at = param->position;
            encoder->variadic_count = encoder->count + 1 - function->passed_count;
        }
    }
    bool variadic = encoder->variadic_at != SIZE_MAX;
    uint32_t least = function->passed_count - (variadic ? 1 : 0);
    if (encoder->count < least || (!variadic && encoder->count > least)) {
        return message_set(encoder->why, -EINVAL, "'%s' takes %s%u argument%s, %zu given",
                           plan_name(encoder->plan, function->name), variadic ? "at least " : "",
                           least, least == 1 ? "" : "s", encoder->count);
    }
    return 0;
}

/* The words that are no places: lengths of the others are computed from them. */
static int encode_words(struct encoder *encoder)
{
    const struct cordon_plan_function *function = encoder->function;
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(encoder->plan, function, i);
        uint64_t unused;
        uint64_t *word = param->in_word == CORDON_PLAN_NO_WORD
                             ? &unused
                             : &encoder->request->words[param->in_word];
        if (param->passing != CORDON_PLAN_PASS_WORD) {
            *word = 0;
            encoder->pointees |= param_pointee(encoder->plan, param) ? 1ull << i : 0;
            continue;
        }
        encoder->param = i;
        int r = param->flags & CORDON_PLAN_FILLED
                    ? encode_filled(encoder, param, word)
                    : encode_word(encoder, plan_type(encoder->plan, param->type),
                                  encode_argument(encoder, param), word);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Those of the parameters in @which, by bit, that are places. */
static int encode_some_places(struct encoder *encoder, uint64_t which)
{
    const struct cordon_plan_function *function = encoder->function;
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(encoder->plan, function, i);
        uint64_t place = 0;
        int r = 0;
        if (!(which >> i & 1)) {
            continue;
        }
        encoder->param = i;
        if (param->passing == CORDON_PLAN_PASS_VARARGS) {
            r = encode_variadic(encoder, &place);
        } else if (param->passing == CORDON_PLAN_PASS_BYTES ||
                   param->passing == CORDON_PLAN_PASS_DYNAMIC) {
            r = encode_bytes(encoder, param, plan_type(encoder->plan, param->type),
                             encode_argument(encoder, param), &place);
        }
        if (r < 0) {
            return r;
        }
        if (param->passing != CORDON_PLAN_PASS_WORD && param->in_word != CORDON_PLAN_NO_WORD) {
            encoder->request->words[param->in_word] = place;
        }
    }
    return 0;
}

/* What lengths may name goes first, wherever it stands: the others' are computed from what was sent. */
static int encode_places(struct encoder *encoder)
{
    int r = encoder->pointees == 0 ? 0 : encode_some_places(encoder, encoder->pointees);
    return r < 0 ? r : encode_some_places(encoder, ~encoder->pointees);
}

/* Whether the worker alone knows how long the reply gets. */
static bool is_dynamic(const struct plan *plan, const struct cordon_plan_function *function)
{
    if (function->result.passing == CORDON_PLAN_PASS_DYNAMIC ||
        function->result.passing == CORDON_PLAN_PASS_BYTES) {
        return true;
    }
    for (uint32_t i = 0; i < function->param_count; i++) {
        if (plan_function_param(plan, function, i)->passing == CORDON_PLAN_PASS_DYNAMIC) {
            return true;
        }
    }
    return false;
}

static void finish_request(struct encoder *encoder, uint32_t function, uint32_t function_id)
{
    struct frame_request *request = encoder->request;
    request->frame_bytes = encoder->request_at;
    request->reply_fixed = (encoder->reply_at + FRAME_ALIGN - 1) & ~(FRAME_ALIGN - 1u);
    if (request->reply_fixed > encoder->reply_limit) {
        request->reply_fixed = encoder->reply_at;
    }
    uint32_t room = encoder->reply_limit - request->reply_fixed;
    request->reply_bytes_max = request->reply_fixed;
    if (is_dynamic(encoder->plan, encoder->function)) {
        request->reply_bytes_max += room < LIMIT_DYNAMIC_ROOM ? room : LIMIT_DYNAMIC_ROOM;
    }
    struct frame_header header = {
        .magic = FRAME_MAGIC,
        .version = FRAME_VERSION,
        .word_count = (uint16_t)request->word_count,
        .frame_bytes = request->frame_bytes,
        .function_id = function_id,
        .layout_hash = plan_header(encoder->plan)->layout_hash,
        .function = function,
        .reply_fixed = request->reply_fixed,
        .reply_bytes_max = request->reply_bytes_max,
    };
    memcpy(encoder->space->request, &header, sizeof header);
    memcpy(encoder->space->request + sizeof header, request->words, request->word_count * 8u);
}

/* A call of which bytes travel. */
static int encode_frame(struct encoder *encoder, uint32_t function, uint32_t function_id)
{
    const struct frame_space *space = encoder->space;
    if (!space || !space->request) {
        return message_set(encoder->why, -ENOBUFS, "'%s' needs memory to be called",
                           plan_name(encoder->plan, encoder->function->name));
    }
    encoder->request_limit =
        space->request_bytes < FRAME_OFFSET_MASK ? space->request_bytes : FRAME_OFFSET_MASK;
    encoder->reply_limit =
        space->reply_bytes < FRAME_OFFSET_MASK ? space->reply_bytes : FRAME_OFFSET_MASK;
    encoder->request_at = request_start(encoder->function);
    encoder->reply_at = reply_start(encoder->function);
    if (encoder->request_at > encoder->request_limit || encoder->reply_at > encoder->reply_limit) {
        return message_set(encoder->why, -E2BIG,
                           "the words of '%s' do not fit a frame of %u bytes (LIMIT_FRAME_BYTES)",
                           plan_name(encoder->plan, encoder->function->name),
                           encoder->request_limit);
    }
    memset(space->request, 0, encoder->request_at);
    int r = encode_places(encoder);
    if (r == 0) {
        finish_request(encoder, function, function_id);
    }
    return r;
}

/*
 * Only words, all arguments given, nothing filled in: the way of most short calls. Anything unusual
 * is left to the full encoder, which then also finds the sentence. Returns whether it did.
 */
static inline bool encode_scalars(const struct plan *plan,
                                  const struct cordon_plan_function *function,
                                  const struct cordon_value *args, size_t count, uint64_t *words)
{
    if (!(function->flags & CORDON_PLAN_MAILBOX) || count != function->param_count ||
        count != function->passed_count) {
        return false;
    }
    const struct cordon_plan_param *params = plan_param(plan, function->first_param);
    const struct cordon_plan_type *types = plan_type(plan, 0);
    for (size_t i = 0; i < count; i++) {
        uint8_t kind = types[params[i].type].kind;
        if (!scalar_is(kind) || !scalar_from_value(kind, &args[i], &words[params[i].in_word])) {
            return false;
        }
    }
    return true;
}

static __attribute__((noinline)) int encode_all(const struct plan *plan, uint32_t function,
                                                uint32_t function_id,
                                                const struct cordon_value *args, size_t count,
                                                const struct frame_hooks *hooks,
                                                const struct frame_space *space,
                                                struct frame_request *request, struct message *why)
{
    const struct cordon_plan_function *shape = plan_function(plan, function);
    struct encoder encoder = {
        .plan = plan,
        .function = shape,
        .hooks = hooks,
        .space = space,
        .request = request,
        .why = why,
        .args = args,
        .count = count,
        .callback = function != 0,
    };
    encoder.scope = (struct frame_scope){
        .plan = plan,
        .function = shape,
        .hooks = hooks,
        .outer = space ? &space->outer : NULL,
        .words = request->words,
        .request = space ? space->request : NULL,
        .request_bytes = space ? space->request_bytes : 0,
    };
    int r = count_arguments(&encoder);
    if (r < 0) {
        return r;
    }
    given_add(request, 0, given_arguments(args, count));
    r = encode_words(&encoder);
    if (r < 0 || shape->flags & CORDON_PLAN_MAILBOX) {
        return r;
    }
    return encode_frame(&encoder, function, function_id);
}

int frame_encode(const struct plan *plan, uint32_t function, uint32_t function_id,
                 const struct cordon_value *args, size_t count, const struct frame_hooks *hooks,
                 const struct frame_space *space, struct frame_request *ret_request,
                 struct message *why)
{
    const struct cordon_plan_function *shape = plan_function(plan, function);
    ret_request->word_count = shape->in_words;
    ret_request->frame_bytes = 0;
    ret_request->reply_fixed = 0;
    ret_request->reply_bytes_max = 0;
    ret_request->given_depth = 0;
    if (encode_scalars(plan, shape, args, count, ret_request->words)) {
        return 0;
    }
    return encode_all(plan, function, function_id, args, count, hooks, space, ret_request, why);
}
