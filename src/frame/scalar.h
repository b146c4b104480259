/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_SCALAR_H
#define FRAME_SCALAR_H

/*
 * Scalars: one number as a word (extended to 64 bits), as memory in C layout, as a value.
 * A word is canonical when it is the extension of what the kind can hold.
 */

#include <float.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cordon/plan.h"
#include "cordon/value.h"

/* What an integer kind holds; max 0 for everything that is no integer. */
struct scalar_range {
    int64_t min;
    uint64_t max;
};
extern const struct scalar_range scalar_ranges[CORDON_PLAN_KIND_COUNT];

static inline bool scalar_is_integer(uint8_t kind)
{
    return kind >= CORDON_PLAN_BOOL && kind <= CORDON_PLAN_U64;
}

static inline bool scalar_is(uint8_t kind)
{
    return kind >= CORDON_PLAN_BOOL && kind <= CORDON_PLAN_F64;
}

/* Whether @word is canonical for @kind. */
static inline bool scalar_fits(uint8_t kind, uint64_t word)
{
    if (scalar_is_integer(kind)) {
        const struct scalar_range *range = &scalar_ranges[kind];
        return range->min < 0 ? (int64_t)word >= range->min && (int64_t)word <= (int64_t)range->max
                              : word <= range->max;
    }
    return kind != CORDON_PLAN_F32 || word <= UINT32_MAX;
}

/* @value as a word of @kind, a scalar. False if it does not fit: scalar_refusal() says why. */
static inline bool scalar_from_value(uint8_t kind, const struct cordon_value *value,
                                     uint64_t *ret_word)
{
    if (scalar_is_integer(kind)) {
        const struct scalar_range *range = &scalar_ranges[kind];
        *ret_word = value->u;
        if (value->kind == CORDON_VALUE_INT && value->i < 0) {
            return value->i >= range->min;
        }
        return (value->kind == CORDON_VALUE_INT || value->kind == CORDON_VALUE_UINT) &&
               value->u <= range->max;
    }
    double number = value->kind == CORDON_VALUE_FLOAT ? value->f
                    : value->kind == CORDON_VALUE_INT ? (double)value->i
                                                      : (double)value->u;
    if (value->kind != CORDON_VALUE_FLOAT && value->kind != CORDON_VALUE_INT &&
        value->kind != CORDON_VALUE_UINT) {
        return false;
    }
    if (kind == CORDON_PLAN_F64) {
        memcpy(ret_word, &number, sizeof number);
        return true;
    }
    if ((number > (double)FLT_MAX || number < -(double)FLT_MAX) && !__builtin_isinf(number)) {
        return false;
    }
    float narrow = (float)number;
    *ret_word = 0;
    memcpy(ret_word, &narrow, sizeof narrow);
    return true;
}

/* A canonical word as a value: INT, UINT or FLOAT. */
static inline void scalar_to_value(uint8_t kind, uint64_t word, struct cordon_value *ret_value)
{
    ret_value->type = CORDON_TYPE_DECLARED;
    ret_value->count = 0;
    if (kind == CORDON_PLAN_F32) {
        float narrow;
        memcpy(&narrow, &word, sizeof narrow);
        ret_value->kind = CORDON_VALUE_FLOAT;
        ret_value->f = (double)narrow;
    } else if (kind == CORDON_PLAN_F64) {
        ret_value->kind = CORDON_VALUE_FLOAT;
        memcpy(&ret_value->f, &word, sizeof ret_value->f);
    } else {
        ret_value->kind = scalar_ranges[kind].min < 0 ? CORDON_VALUE_INT : CORDON_VALUE_UINT;
        ret_value->u = word;
    }
}

/*
 * The low bytes of @word as a canonical word of @kind: what a function of that type left in a
 * register.
 */
static inline uint64_t scalar_narrow(uint8_t kind, uint64_t word)
{
    switch (kind) {
    case CORDON_PLAN_BOOL:
        return (uint8_t)word != 0;
    case CORDON_PLAN_I8:
        return (uint64_t)(int8_t)word;
    case CORDON_PLAN_U8:
        return (uint8_t)word;
    case CORDON_PLAN_I16:
        return (uint64_t)(int16_t)word;
    case CORDON_PLAN_U16:
        return (uint16_t)word;
    case CORDON_PLAN_I32:
        return (uint64_t)(int32_t)word;
    case CORDON_PLAN_U32:
    case CORDON_PLAN_F32:
        return (uint32_t)word;
    default:
        return word;
    }
}

/* The scalar of @kind at @memory, any alignment, as a canonical word (a bool is 0 or 1). */
uint64_t scalar_load(uint8_t kind, const void *memory);

/* A canonical word into the C object at @memory. */
void scalar_store(uint8_t kind, void *memory, uint64_t word);

/* The kind's C name ("uint32_t"). */
const char *scalar_name(uint8_t kind);

#endif
