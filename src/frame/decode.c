/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/frame.h"

#include "frame/decode.h"
#include "frame/import.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static int lies(const struct decoder *decoder, const char *sentence)
{
    return message_set(decoder->why, -EBADMSG, "reply of '%s' %s",
                       plan_name(decoder->plan, decoder->function->name), sentence);
}

static const struct cordon_value *argument_of(const struct decoder *decoder,
                                              const struct cordon_plan_param *param)
{
    size_t index = param->position;
    if (index > decoder->variadic_at) {
        index += decoder->variadic_count - 1;
    }
    return index < decoder->count ? &decoder->args[index] : NULL;
}

static void find_variadic(struct decoder *decoder)
{
    decoder->variadic_at = SIZE_MAX;
    for (uint32_t i = 0; i < decoder->function->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(decoder->plan, decoder->function, i);
        if (param->passing == CORDON_PLAN_PASS_VARARGS) {
            decoder->variadic_at = param->position;
            decoder->variadic_count = decoder->count + 1 - decoder->function->passed_count;
        }
    }
}

bool decode_is_within(const struct decoder *decoder, const struct cordon_plan_type *type,
                      uint64_t word)
{
    if (word == 0) {
        return true;
    }
    assert(type->within < decoder->function->param_count); /* plans are checked */
    const struct cordon_plan_param *base =
        plan_function_param(decoder->plan, decoder->function, type->within);
    const struct cordon_value *value = argument_of(decoder, base);
    if (base->passing != CORDON_PLAN_PASS_BYTES || !value || value->kind != CORDON_VALUE_MEMORY) {
        return word == 1;
    }
    struct sent sent = decode_sent_argument(decoder, type->within, value);
    return word - 1 <= decode_sent_bytes(decoder, &sent);
}

/* Whether reply word @word can be what a @type is. A pointer within must lie in its argument. */
static int judge_word(const struct decoder *decoder, const struct cordon_plan_type *type,
                      uint64_t word)
{
    if (!scalar_fits(type->kind, word)) {
        return lies(decoder, "holds a number beyond its type");
    }
    return type->kind == CORDON_PLAN_WITHIN && !decode_is_within(decoder, type, word)
               ? lies(decoder, "points outside the argument that it belongs to")
               : 0;
}

/* What a WORD-passed pointer points to, into the caller's memory. */
static int write_pointee(const struct decoder *decoder, const struct cordon_plan_type *target,
                         uint64_t word, void *memory)
{
    if (scalar_is(target->kind)) {
        scalar_store(target->kind, memory, word);
        return 0;
    }
    if (target->kind == CORDON_PLAN_HANDLE && holds_objects(decoder->hooks)) {
        void *object;
        int r = word_to_object(decoder->hooks, decoder->plan, target, word, &object, decoder->why);
        if (r == 0) {
            memcpy(memory, &object, sizeof object);
        }
        return r;
    }
    if (target->kind == CORDON_PLAN_HANDLE) {
        struct cordon_handle handle;
        int r = word_to_handle(decoder->hooks, target, word, &handle);
        if (r == 0) {
            memcpy(memory, &handle, sizeof handle);
        }
        return r < 0 ? lies(decoder, "holds no valid handle") : 0;
    }
    put_word(memory, target->kind == CORDON_PLAN_WITHIN ? word - 1 : word);
    return 0;
}

/* A handle that its hook refuses is refused before anything is written. */
static int judge_handle(const struct decoder *decoder, const struct cordon_plan_type *target,
                        uint64_t word)
{
    struct cordon_handle unused;
    return target->kind == CORDON_PLAN_HANDLE ? write_pointee(decoder, target, word, &unused) : 0;
}

/* Take an integer that lengths may name out of the reply: nobody looks at it there again. */
static void take_pointee(const struct decoder *decoder, uint32_t index,
                         const struct cordon_plan_param *param)
{
    const struct cordon_plan_type *target = param_pointee(decoder->plan, param);
    uint64_t place = decoder->request->words[param->in_word];
    uint8_t bytes[8];
    if (!target || place & FRAME_IN_ARENA || place_reply(place) == 0) {
        return;
    }
    copy_out(bytes, decoder->reply + place_reply(place), target->size);
    decoder->came->words[index] = scalar_load(target->kind, bytes);
    decoder->came->known |= 1ull << index;
}

/* Judge every word, and copy what is DYNAMIC or a length, before anything of the caller's is written. */
static int judge_words(struct decoder *decoder, const struct import *import)
{
    for (uint32_t i = 0; i < decoder->function->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(decoder->plan, decoder->function, i);
        if (param->passing == CORDON_PLAN_PASS_BYTES) {
            take_pointee(decoder, i, param);
        }
        if (param->out_word == CORDON_PLAN_NO_WORD) {
            continue;
        }
        uint64_t word = decoder->reply_words[param->out_word];
        const struct cordon_plan_type *target =
            pointer_target(decoder->plan, plan_type(decoder->plan, param->type));
        int r = 0;
        if (param->passing == CORDON_PLAN_PASS_WORD) {
            r = judge_word(decoder, target, word);
            r = r < 0 ? r : judge_handle(decoder, target, word);
        } else { /* DYNAMIC: nothing else has a word that comes back */
            uint64_t count;
            r = import_pointer(import, target, word, &decoder->dynamic[i], &count);
            r = r == -EBADMSG ? lies(decoder, "holds memory that is not there") : r;
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int decode_result_memory(struct decoder *decoder, const struct import *import,
                                const struct cordon_plan_type *type, uint64_t word,
                                struct frame_result *result)
{
    uint64_t count = 1;
    void *memory = NULL;
    int r = type->kind == CORDON_PLAN_STRUCT ? import_object(import, type, word, &memory)
                                             : import_pointer(import, type, word, &memory, &count);
    if (r < 0) {
        return r == -EBADMSG ? lies(decoder, "holds a result that is not there") : r;
    }
    if (!memory) {
        return 0;
    }
    result->value = cordon_out(memory, count);
    result->value.type = type->kind == CORDON_PLAN_STRING ? CORDON_TYPE_STRING : 0;
    if (type->kind == CORDON_PLAN_STRUCT && type->size <= sizeof result->small &&
        image_is_plain(decoder->plan, type)) {
        memcpy(result->small, memory, type->size);
        result->value.memory = result->small;
        free(memory);
        return 0;
    }
    result->owned = memory;
    return 0;
}

static int decode_result(struct decoder *decoder, const struct import *import,
                         struct frame_result *result)
{
    const struct cordon_plan_param *param = &decoder->function->result;
    const struct cordon_plan_type *type = plan_type(decoder->plan, param->type);
    if (param->out_word == CORDON_PLAN_NO_WORD) { /* void */
        return 0;
    }
    uint64_t word = decoder->reply_words[param->out_word];
    if (param->passing != CORDON_PLAN_PASS_WORD) {
        return decode_result_memory(decoder, import, type, word, result);
    }
    int r = judge_word(decoder, type, word);
    if (r < 0) {
        return r;
    }
    switch (type->kind) {
    case CORDON_PLAN_HANDLE:
        if (word != 0) {
            struct cordon_handle handle;
            r = word_to_handle(decoder->hooks, type, word, &handle);
            result->value = cordon_object(handle);
        }
        return r < 0 ? lies(decoder, "holds no valid handle") : 0;
    case CORDON_PLAN_WITHIN:
        if (word != 0) {
            result->value = cordon_uint(word - 1);
        }
        return 0;
    case CORDON_PLAN_CALLBACK:
        if (word != 0) {
            result->value = cordon_uint(word);
        }
        return 0;
    default:
        scalar_to_value(type->kind, word, &result->value);
        return 0;
    }
}

const struct cordon_value *decode_memory_of(const struct decoder *decoder,
                                            const struct cordon_plan_param *param)
{
    const struct cordon_value *value =
        param->position == CORDON_PLAN_NO_WORD ? NULL : argument_of(decoder, param);
    return value && value->kind == CORDON_VALUE_MEMORY && value->memory ? value : NULL;
}

/* Elements without pointers inside: nothing that is read later can lie in them. */
static const struct cordon_plan_type *plain_target(const struct decoder *decoder,
                                                   const struct cordon_plan_type *type)
{
    const struct cordon_plan_type *target =
        type->kind == CORDON_PLAN_POINTER ? pointer_target(decoder->plan, type) : NULL;
    return target && (image_is_bytes(target) || image_is_plain(decoder->plan, target)) ? target
                                                                                       : NULL;
}

/* All that can fail or that follows pointers in the caller's memory: to be written later. */
static int gather_outputs(struct decoder *decoder)
{
    int r = 0;
    for (uint32_t i = 0; i < decoder->function->param_count && r == 0; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(decoder->plan, decoder->function, i);
        const struct cordon_value *value = decode_memory_of(decoder, param);
        const struct cordon_plan_type *type = plan_type(decoder->plan, param->type);
        if (!value || param->passing != CORDON_PLAN_PASS_BYTES || plain_target(decoder, type)) {
            continue;
        }
        struct sent sent = decode_sent_argument(decoder, i, value);
        r = type->kind == CORDON_PLAN_STRUCT
                ? decode_images(decoder, type, 1, sent.place, sent.memory, false)
                : decode_sent(decoder, &sent);
    }
    return r;
}

static void write_bytes(const struct decoder *decoder, uint32_t index,
                        const struct cordon_plan_type *target, const struct cordon_value *value)
{
    uint64_t bytes;
    uint32_t at;
    if (decoder->came->known >> index & 1) {
        scalar_store(target->kind, value->memory, decoder->came->words[index]);
        return;
    }
    struct sent sent = decode_sent_argument(decoder, index, value);
    if (decode_plain(decoder, &sent, target, &bytes, &at)) {
        decode_copy_plain(decoder, value->memory, decoder->reply + at, bytes, target);
    }
}

static int write_outputs(struct decoder *decoder)
{
    int r = gather_outputs(decoder);
    for (uint32_t i = 0; i < decoder->function->param_count && r == 0; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(decoder->plan, decoder->function, i);
        const struct cordon_value *value = decode_memory_of(decoder, param);
        const struct cordon_plan_type *type = plan_type(decoder->plan, param->type);
        const struct cordon_plan_type *plain;
        if (!value) {
            continue;
        }
        if (param->passing == CORDON_PLAN_PASS_BYTES && (plain = plain_target(decoder, type))) {
            write_bytes(decoder, i, plain, value);
        } else if (param->out_word == CORDON_PLAN_NO_WORD) {
            continue;
        } else if (param->passing == CORDON_PLAN_PASS_WORD) {
            r = write_pointee(decoder, pointer_target(decoder->plan, type),
                              decoder->reply_words[param->out_word], value->memory);
        } else { /* DYNAMIC, as in judge_words() */
            memcpy(value->memory, &decoder->dynamic[i], sizeof(void *));
            decoder->dynamic[i] = NULL;
        }
    }
    decode_write_end(decoder, r == 0);
    return r;
}

static int decode_reply(struct decoder *decoder, struct frame_result *result)
{
    struct import import = {
        .plan = decoder->plan,
        .hooks = decoder->hooks,
        .reply = decoder->reply,
        .reply_start = decoder->request->reply_fixed,
        .reply_bytes_max = decoder->request->reply_bytes_max,
    };
    int r = judge_words(decoder, &import);
    r = r < 0 ? r : decode_check_given(decoder);
    r = r < 0 ? r : decode_result(decoder, &import, result);
    r = r < 0 ? r : write_outputs(decoder);
    for (uint32_t i = 0; i < decoder->function->param_count; i++) {
        free(decoder->dynamic[i]);
    }
    if (r < 0) {
        free(result->owned);
        result->owned = NULL;
        result->value = cordon_null();
    }
    return r;
}

static __attribute__((noinline)) int decode_all(
    const struct plan *plan, uint32_t function, const struct cordon_value *args, size_t count,
    const struct frame_hooks *hooks, const struct frame_space *space,
    const struct frame_request *request, const uint64_t *reply_words, const volatile uint8_t *reply,
    struct frame_result *result, struct message *why)
{
    struct frame_pointees came;
    came.known = 0;
    struct decoder decoder = {
        .plan = plan,
        .function = plan_function(plan, function),
        .hooks = hooks,
        .args = args,
        .count = count,
        .request = request,
        .request_memory = request->frame_bytes ? space->request : NULL,
        .reply_words = reply_words,
        .reply = reply,
        .came = &came,
        .why = why,
    };
    decoder.writes_end = &decoder.writes;
    decoder.before = (struct frame_scope){
        .plan = plan,
        .function = decoder.function,
        .outer = space ? &space->outer : NULL,
        .words = request->words,
        .request = decoder.request_memory,
        .request_bytes = request->frame_bytes,
    };
    decoder.after = decoder.before;
    decoder.after.after = true;
    decoder.after.reply_words = reply_words;
    decoder.after.came = &came;
    if (space) {
        decoder.arena = space->arena;
    }
    if (request->reply_bytes_max > 0 && !reply) {
        return lies(&decoder, "has no memory");
    }
    find_variadic(&decoder);
    return decode_reply(&decoder, result);
}

int frame_decode(const struct plan *plan, uint32_t function, const struct cordon_value *args,
                 size_t count, const struct frame_hooks *hooks, const struct frame_space *space,
                 const struct frame_request *request, const uint64_t *reply_words,
                 const volatile uint8_t *reply, struct frame_result *ret_result,
                 struct message *why)
{
    const struct cordon_plan_function *shape = plan_function(plan, function);
    ret_result->owned = NULL;
    if (shape->flags & CORDON_PLAN_MAILBOX && shape->out_words == 1) {
        uint8_t kind = plan_type(plan, shape->result.type)->kind;
        uint64_t word = reply_words[0];
        if (scalar_is(kind) && scalar_fits(kind, word)) {
            scalar_to_value(kind, word, &ret_result->value);
            return 0;
        }
    }
    ret_result->value = cordon_null();
    return decode_all(plan, function, args, count, hooks, space, request, reply_words, reply,
                      ret_result, why);
}
