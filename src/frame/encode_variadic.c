/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/encode.h"

#include "base/limits.h"

#include <errno.h>

/* The range that an argument of `...` must keep by its type; 0 for what is no integer. */
static uint8_t variadic_kind(uint32_t type)
{
    switch (type) {
    case CORDON_TYPE_INT:
        return CORDON_PLAN_I32;
    case CORDON_TYPE_UINT:
        return CORDON_PLAN_U32;
    case CORDON_TYPE_LONG:
    case CORDON_TYPE_LLONG:
        return CORDON_PLAN_I64;
    case CORDON_TYPE_ULONG:
    case CORDON_TYPE_ULLONG:
    case CORDON_TYPE_SIZE:
        return CORDON_PLAN_U64;
    case CORDON_TYPE_DOUBLE:
        return CORDON_PLAN_F64;
    default:
        return CORDON_PLAN_VOID;
    }
}

static int refuse(const struct encoder *encoder, size_t index, int error, const char *sentence)
{
    return message_set(encoder->why, error, "argument %zu (one of '...') %s",
                       encoder->variadic_at + index + 1, sentence);
}

static int variadic_string(struct encoder *encoder, size_t index, const struct cordon_value *value,
                           uint64_t *ret_word)
{
    if (value->kind == CORDON_VALUE_NULL || !value->memory) {
        *ret_word = 0;
        return 0;
    }
    if (value->count > LIMIT_STRING_BYTES) {
        return refuse(encoder, index, -E2BIG, "is longer than LIMIT_STRING_BYTES");
    }
    if (memchr(value->memory, '\0', value->count)) {
        return refuse(encoder, index, -EINVAL, "is a string with a NUL inside");
    }
    uint32_t at;
    int r = encode_reserve_request(encoder, value->count + 1, &at);
    if (r < 0) {
        return r;
    }
    memcpy(encoder->space->request + at, value->memory, value->count);
    encoder->space->request[at + value->count] = '\0';
    *ret_word = at;
    return 0;
}

static int variadic_pair(struct encoder *encoder, size_t index, const struct cordon_value *value,
                         uint64_t *ret_type, uint64_t *ret_word)
{
    *ret_type = value->type;
    switch (value->kind) {
    case CORDON_VALUE_INT:
    case CORDON_VALUE_UINT:
    case CORDON_VALUE_FLOAT: {
        uint8_t kind = variadic_kind(value->type);
        if (kind != CORDON_PLAN_VOID) {
            return scalar_from_value(kind, value, ret_word)
                       ? 0
                       : refuse(encoder, index, -EINVAL, "does not fit its type");
        }
        if (value->type == CORDON_TYPE_POINTER && value->kind != CORDON_VALUE_FLOAT) {
            *ret_word = value->u;
            return 0;
        }
        return refuse(encoder, index, -EINVAL, "has no type that '...' can take");
    }
    case CORDON_VALUE_NULL:
        *ret_type = value->type == CORDON_TYPE_STRING ? CORDON_TYPE_STRING : CORDON_TYPE_POINTER;
        *ret_word = 0;
        return 0;
    case CORDON_VALUE_HANDLE:
        *ret_type = CORDON_TYPE_POINTER | FRAME_VARIADIC_HANDLE;
        return handle_to_word(
            encoder->hooks,
            plan_type(encoder->plan,
                      plan_function_param(encoder->plan, encoder->function, encoder->param)->type),
            value->handle, ret_word, encoder->why);
    case CORDON_VALUE_MEMORY:
        if (value->type == CORDON_TYPE_STRING) {
            return variadic_string(encoder, index, value, ret_word);
        }
        return refuse(encoder, index, -EINVAL,
                      "is memory: only numbers, strings, tokens and handles pass there");
    default:
        return refuse(encoder, index, -EINVAL,
                      "is a callback: only numbers, strings, tokens and handles pass there");
    }
}

int encode_variadic(struct encoder *encoder, uint64_t *ret_place)
{
    uint64_t count = encoder->variadic_count;
    uint32_t block;
    if (count > CORDON_PLAN_PARAMS_MAX) {
        return encode_refuse(encoder, -E2BIG, "takes at most %u arguments (CORDON_PLAN_PARAMS_MAX)",
                             CORDON_PLAN_PARAMS_MAX);
    }
    int r = encode_reserve_request(encoder, 8 + 16 * count, &block);
    if (r < 0) {
        return r;
    }
    put_word(encoder->space->request + block, count);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t type = 0;
        uint64_t word = 0;
        r = variadic_pair(encoder, i, &encoder->args[encoder->variadic_at + i], &type, &word);
        if (r < 0) {
            return r;
        }
        put_word(encoder->space->request + block + 8 + 16 * i, type);
        put_word(encoder->space->request + block + 16 + 16 * i, word);
    }
    *ret_place = block;
    return 0;
}
