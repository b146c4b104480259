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
    return word - 1 <= decode_argument_bytes(decoder, type->within, argument_of(decoder, base));
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

/* Judge every word, and copy what is DYNAMIC, before anything of the caller's is written. */
static int judge_words(struct decoder *decoder, const struct import *import)
{
    for (uint32_t i = 0; i < decoder->function->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(decoder->plan, decoder->function, i);
        if (param->out_word == CORDON_PLAN_NO_WORD) {
            continue;
        }
        uint64_t word = decoder->reply_words[param->out_word];
        const struct cordon_plan_type *target =
            pointer_target(decoder->plan, plan_type(decoder->plan, param->type));
        int r = 0;
        if (param->passing == CORDON_PLAN_PASS_WORD) {
            r = judge_word(decoder, target, word);
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

static int write_outputs(struct decoder *decoder)
{
    int r = 0;
    for (uint32_t i = 0; i < decoder->function->param_count && r == 0; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(decoder->plan, decoder->function, i);
        const struct cordon_value *value =
            param->position == CORDON_PLAN_NO_WORD ? NULL : argument_of(decoder, param);
        if (!value || value->kind != CORDON_VALUE_MEMORY || !value->memory) {
            continue;
        }
        const struct cordon_plan_type *type = plan_type(decoder->plan, param->type);
        if (param->passing == CORDON_PLAN_PASS_BYTES && type->kind != CORDON_PLAN_STRUCT) {
            r = decode_argument(decoder, i, value);
        } else if (param->passing == CORDON_PLAN_PASS_BYTES) {
            r = decode_images(decoder, type, 1, decoder->request->words[param->in_word],
                              value->memory, false);
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
        .why = why,
    };
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
    decoder.after.reply = reply;
    decoder.after.reply_fixed = request->reply_fixed;
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
