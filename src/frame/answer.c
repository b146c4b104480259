/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/frame.h"

#include "frame/export.h"
#include "frame/scratch.h"

#include <errno.h>
#include <stdlib.h>

struct answerer {
    struct frame_call *call;
    const struct cordon_plan_function *function;
    struct exporter exporter;
    uint64_t *words;
    const void *result;
    struct message *why;
};

/* A pointer into parameter `within` as offset + 1. */
/* Offset + 1 of @native in the argument that it belongs to; 0: it does not lie there. */
static uint64_t within_offset(const struct frame_call *call, const struct cordon_plan_type *type,
                              uint64_t native)
{
    uint32_t index = type->within;
    bool inside = index < plan_function(call->plan, call->function)->param_count && call->scratch &&
                  call->storage[index] != 0 && native >= call->storage[index] &&
                  native - call->storage[index] <= call->scratch->param_bytes[index];
    return inside ? native - call->storage[index] + 1 : 0;
}

static int within_word(const struct answerer *answerer, const struct cordon_plan_type *type,
                       uint64_t native, uint64_t *ret_word)
{
    const struct frame_call *call = answerer->call;
    *ret_word = within_offset(call, type, native);
    if (native == 0 || *ret_word != 0) {
        return 0;
    }
    return message_set(answerer->why, -ERANGE,
                       "'%s' returned a pointer that is not within the argument it belongs to",
                       plan_name(call->plan, answerer->function->name));
}

/* A native object of a kind that travels in a word. */
static int native_word(const struct answerer *answerer, const struct cordon_plan_type *type,
                       const void *native, uint64_t *ret_word)
{
    const struct frame_call *call = answerer->call;
    if (scalar_is(type->kind)) {
        *ret_word = scalar_load(type->kind, native);
        return 0;
    }
    switch (type->kind) {
    case CORDON_PLAN_HANDLE:
        return object_to_word(call->hooks, call->plan, type, pointer_at(native), ret_word);
    case CORDON_PLAN_WITHIN:
        return within_word(answerer, type, word_at(native), ret_word);
    case CORDON_PLAN_CALLBACK:
    case CORDON_PLAN_TOKEN:
        *ret_word = word_at(native);
        return 0;
    default:
        *ret_word = 0;
        return 0;
    }
}

/* Results and outputs whose words are what they are: lengths are computed from them. */
static int answer_words(struct answerer *answerer)
{
    const struct frame_call *call = answerer->call;
    const struct cordon_plan_param *result = &answerer->function->result;
    int r = 0;
    if (result->passing == CORDON_PLAN_PASS_WORD && result->out_word != CORDON_PLAN_NO_WORD) {
        r = native_word(answerer, plan_type(call->plan, result->type), answerer->result,
                        &answerer->words[result->out_word]);
    }
    for (uint32_t i = 0; i < answerer->function->param_count && r == 0; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(call->plan, answerer->function, i);
        if (param->out_word == CORDON_PLAN_NO_WORD) {
            continue;
        }
        answerer->words[param->out_word] = 0;
        if (param->passing == CORDON_PLAN_PASS_WORD) {
            r = native_word(answerer,
                            pointer_target(call->plan, plan_type(call->plan, param->type)),
                            &call->pointees[i], &answerer->words[param->out_word]);
        }
    }
    return r;
}

/*
 * Free what the library gave away, after its bytes are in the reply. Returns whether that was
 * done.
 */
static bool free_owned(const struct answerer *answerer, const struct cordon_plan_type *type,
                       void *memory)
{
    const struct frame_hooks *hooks = answerer->call->hooks;
    if (memory && type->flags & CORDON_PLAN_OWNED && hooks && hooks->free_owned) {
        (void)hooks->free_owned(hooks->context, plan_name(answerer->call->plan, type->releaser),
                                memory);
        return true;
    }
    return memory == NULL;
}

static int answer_result(struct answerer *answerer)
{
    const struct frame_call *call = answerer->call;
    const struct cordon_plan_param *result = &answerer->function->result;
    const struct cordon_plan_type *type;
    if (result->passing == CORDON_PLAN_PASS_WORD || result->out_word == CORDON_PLAN_NO_WORD) {
        return 0;
    }
    type = plan_type(call->plan, result->type);
    uint64_t *word = &answerer->words[result->out_word];
    if (type->kind == CORDON_PLAN_STRUCT) {
        return export_object(&answerer->exporter, type, answerer->result, word);
    }
    void *memory = pointer_at(answerer->result);
    int r = export_pointer(&answerer->exporter, type, memory, word);
    (void)free_owned(answerer, type, memory);
    return r;
}

/*
 * `out owned(free) T **`: what the pointee points to. Freed in any case, also when it does not
 * fit.
 */
static int answer_dynamic(struct answerer *answerer)
{
    struct frame_call *call = answerer->call;
    int first = 0;
    for (uint32_t i = 0; i < answerer->function->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(call->plan, answerer->function, i);
        if (param->passing != CORDON_PLAN_PASS_DYNAMIC || param->out_word == CORDON_PLAN_NO_WORD) {
            continue;
        }
        const struct cordon_plan_type *type = plan_type(call->plan, param->type);
        const struct cordon_plan_type *target = pointer_target(call->plan, type);
        void *memory = pointer_from_word(call->pointees[i]);
        int r = first < 0 ? first
                          : export_pointer(&answerer->exporter, target, memory,
                                           &answerer->words[param->out_word]);
        if (free_owned(answerer, target->flags & CORDON_PLAN_OWNED ? target : type, memory)) {
            call->scratch->owned_inputs &= ~(1ull << i);
        }
        first = first < 0 ? first : r;
    }
    return first;
}

/* An image on its way back: pointers as offset + 1 into what they pointed to, or UINT64_MAX. */
struct image_answer {
    const struct frame_call *call;
    const struct frame_block *block;
    uint8_t *reply;
    size_t at;
};

static int answer_spot(void *context, const struct frame_spot *spot)
{
    const struct image_answer *image = context;
    const struct frame_block *block = image->block;
    size_t at = image->at + spot->at;
    uint64_t native = word_at(block->native + at);
    uint64_t original = word_at(block->original + at);
    uint64_t word = 0;
    int r = 0;
    if (spot->type->kind == CORDON_PLAN_HANDLE) {
        r = object_to_word(image->call->hooks, image->call->plan, spot->type,
                           pointer_from_word(native), &word);
    } else if (spot->type->kind == CORDON_PLAN_WITHIN) {
        word = within_offset(image->call, spot->type, native);
    } else if (native != 0) {
        bool inside = !spot->other && original != 0 && native >= original &&
                      native - original <= word_at(block->extents + at);
        word = inside ? native - original + 1 : UINT64_MAX;
    }
    put_word(image->reply + at, word);
    return r;
}

static int answer_images(const struct frame_call *call, const struct frame_block *block,
                         uint8_t *reply)
{
    int r = 0;
    memcpy(reply, block->native, block->bytes);
    for (uint64_t i = 0; i < block->count && r == 0; i++) {
        struct image_answer image = {call, block, reply, (size_t)i * block->target->size};
        const struct image_walk walk = {
            .plan = call->plan,
            .visit = answer_spot,
            .context = &image,
            .image = block->native + image.at,
            .before = block->original + image.at,
            .clean = reply + image.at,
        };
        r = image_walk(&walk, block->target);
    }
    return r;
}

/* A host's reply can be seen while it is written: its pointers become offsets before they are there. */
static int answer_block(const struct frame_call *call, const struct frame_block *block)
{
    uint8_t *reply = call->reply + block->reply_at;
    if (!block->target || holds_objects(call->hooks)) {
        return block->target ? answer_images(call, block, reply)
                             : (memcpy(reply, block->native, block->bytes), 0);
    }
    uint8_t *images = scratch_take(call->scratch, block->bytes);
    int r = images ? answer_images(call, block, images) : -ENOMEM;
    if (r == 0) {
        memcpy(reply, images, block->bytes);
    }
    return r;
}

static int answer_blocks(const struct frame_call *call)
{
    int r = 0;
    const struct frame_block *block = call->scratch ? call->scratch->blocks : NULL;
    for (; block && r == 0; block = block->next) {
        r = block->bytes == 0 ? 0 : answer_block(call, block);
    }
    return r;
}

static __attribute__((noinline)) int answer_all(struct frame_call *call, const void *result,
                                                uint64_t *words, uint32_t *ret_reply_bytes,
                                                struct message *why)
{
    const struct cordon_plan_function *function = plan_function(call->plan, call->function);
    struct frame_scope scope = {
        .plan = call->plan,
        .function = function,
        .hooks = call->hooks,
        .outer = &call->outer,
        .words = call->words,
        .request = call->request,
        .request_bytes = call->request_bytes,
        .after = true,
        .reply_words = words,
        .reply = call->reply,
        .reply_fixed = call->reply_fixed,
        .storage = call->storage,
    };
    struct answerer answerer = {
        .call = call,
        .function = function,
        .exporter = {call, function, scope, call->reply_fixed, 0, why},
        .words = words,
        .result = result,
        .why = why,
    };
    int r = answer_words(&answerer);
    r = r < 0 ? r : answer_blocks(call);
    r = r < 0 ? r : answer_result(&answerer);
    if (call->scratch) {
        int dynamic = answer_dynamic(&answerer);
        r = r < 0 ? r : dynamic;
    }
    if (r < 0) {
        return r;
    }
    if (call->reply && function->out_words > CORDON_PLAN_MAILBOX_WORDS) {
        memcpy(call->reply, words, function->out_words * 8u);
    }
    *ret_reply_bytes = answerer.exporter.at;
    return 0;
}

int frame_answer(struct frame_call *call, const void *result, uint64_t *ret_words,
                 uint32_t *ret_reply_bytes, struct message *why)
{
    const struct cordon_plan_function *function = plan_function(call->plan, call->function);
    uint8_t kind = plan_type(call->plan, function->result.type)->kind;
    if (function->flags & CORDON_PLAN_MAILBOX &&
        (function->out_words == 0 || (function->out_words == 1 && scalar_is(kind)))) {
        if (function->out_words == 1) {
            ret_words[0] = scalar_narrow(kind, word_at(result));
        }
        *ret_reply_bytes = 0;
        return 0;
    }
    return answer_all(call, result, ret_words, ret_reply_bytes, why);
}
