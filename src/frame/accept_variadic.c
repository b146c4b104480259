/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/accept.h"

#include <errno.h>

static int variadic_string(struct acceptor *acceptor, uint64_t at, uint64_t *ret_native)
{
    static const struct cordon_plan_type string = {
        .kind = CORDON_PLAN_STRING,
        .direction = CORDON_PLAN_IN,
        .flags = CORDON_PLAN_CONST,
        .size = sizeof(char *),
        .code = CORDON_PLAN_NONE,
        .length_code = CORDON_PLAN_NONE,
    };
    void *native;
    uint64_t bytes;
    if (at & ~FRAME_OFFSET_MASK) {
        return accept_refuse(acceptor, "has a string outside the request");
    }
    int r = accept_string(acceptor, &string, at, &acceptor->scope, &native, &bytes);
    *ret_native = (uint64_t)(uintptr_t)native;
    return r;
}

static int variadic_value(struct acceptor *acceptor, const struct cordon_plan_type *type,
                          uint64_t tag, uint64_t word, uint64_t *ret_native)
{
    const struct frame_call *call = acceptor->call;
    uint8_t kind = CORDON_PLAN_U64;
    switch (tag) {
    case CORDON_TYPE_INT:
        kind = CORDON_PLAN_I32;
        break;
    case CORDON_TYPE_UINT:
        kind = CORDON_PLAN_U32;
        break;
    case CORDON_TYPE_LONG:
    case CORDON_TYPE_ULONG:
    case CORDON_TYPE_LLONG:
    case CORDON_TYPE_ULLONG:
    case CORDON_TYPE_SIZE:
    case CORDON_TYPE_DOUBLE:
    case CORDON_TYPE_POINTER:
        break;
    case CORDON_TYPE_STRING:
        return variadic_string(acceptor, word, ret_native);
    case CORDON_TYPE_POINTER | FRAME_VARIADIC_HANDLE: {
        void *object;
        int r = word_to_object(call->hooks, call->plan, type, word, &object, acceptor->why);
        *ret_native = (uint64_t)(uintptr_t)object;
        return r;
    }
    default:
        return accept_refuse(acceptor, "has an argument of no known type");
    }
    *ret_native = word;
    return scalar_fits(kind, word) ? 0 : accept_refuse(acceptor, "has a number beyond its type");
}

int accept_variadic(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place)
{
    struct frame_call *call = acceptor->call;
    if (place > call->request_bytes || place < request_start(acceptor->function) ||
        call->request_bytes - place < 8) {
        return accept_refuse(acceptor, "lies outside the request");
    }
    const uint8_t *block = call->request + place;
    uint64_t count = word_at(block);
    if (count > CORDON_PLAN_PARAMS_MAX || 16 * count > call->request_bytes - place - 8) {
        return accept_refuse(acceptor, "has more arguments than the request");
    }
    uint64_t *pairs = scratch_take(acceptor->scratch, 16 * count);
    if (!pairs) {
        return -ENOMEM;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t tag = word_at(block + 8 + 16 * i);
        pairs[2 * i] = tag & ~FRAME_VARIADIC_HANDLE;
        int r =
            variadic_value(acceptor, type, tag, word_at(block + 16 + 16 * i), &pairs[2 * i + 1]);
        if (r < 0) {
            return r;
        }
    }
    call->variadic.count = (uint32_t)count;
    call->variadic.pairs = pairs;
    return 0;
}
