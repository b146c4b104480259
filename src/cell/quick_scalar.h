/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_QUICK_SCALAR_H
#define CELL_QUICK_SCALAR_H

/* Scalars of quick calls: between a caller's values and the words of a message. */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cell/quick.h"
#include "cordon/value.h"

/* False: it does not fit, or needs a look. */
static inline bool quick_encode_scalar(const struct quick_value *scalar,
                                       const struct cordon_value *value, uint64_t *ret_word)
{
    float narrow;
    switch (scalar->kind) {
    case QUICK_INT:
        *ret_word = value->u;
        return (value->kind == CORDON_VALUE_INT && value->i >= scalar->least &&
                (value->i < 0 || value->u <= scalar->most)) ||
               (value->kind == CORDON_VALUE_UINT && value->u <= scalar->most);
    case QUICK_UINT:
        *ret_word = value->u;
        return (value->kind == CORDON_VALUE_UINT ||
                (value->kind == CORDON_VALUE_INT && value->i >= 0)) &&
               value->u <= scalar->most;
    case QUICK_F64:
        *ret_word = value->u;
        return value->kind == CORDON_VALUE_FLOAT;
    case QUICK_F32:
        narrow = (float)value->f;
        *ret_word = 0;
        memcpy(ret_word, &narrow, sizeof narrow);
        return value->kind == CORDON_VALUE_FLOAT && (double)narrow == value->f;
    default:
        return false;
    }
}

/* False: the worker's word is impossible for the type. */
static inline bool quick_decode_scalar(const struct quick_value *scalar, uint64_t word,
                                       struct cordon_value *ret_value)
{
    float narrow;
    *ret_value = cordon_null();
    ret_value->u = word;
    switch (scalar->kind) {
    case QUICK_NOTHING:
        ret_value->u = 0;
        return true;
    case QUICK_INT:
        ret_value->kind = CORDON_VALUE_INT;
        return ret_value->i >= scalar->least && (ret_value->i < 0 || word <= scalar->most);
    case QUICK_UINT:
        ret_value->kind = CORDON_VALUE_UINT;
        return word <= scalar->most;
    case QUICK_F32:
        ret_value->kind = CORDON_VALUE_FLOAT;
        memcpy(&narrow, &word, sizeof narrow);
        ret_value->f = (double)narrow;
        return word <= UINT32_MAX;
    default:
        ret_value->kind = CORDON_VALUE_FLOAT;
        return true;
    }
}

#endif
