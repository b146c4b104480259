/* SPDX-License-Identifier: Apache-2.0 */
#include "plain.h"

#include <limits.h>

#include "calling.h"
#include "giving.h"

/* Whether the length of parameter @index, bytes that go in, is one that no caller passes. */
static bool is_measured(const struct plan_view *plan, uint32_t index)
{
    const struct cordon_plan_function *shape = view_function(plan);
    for (uint32_t i = 0; i < shape->param_count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        if (param->position >= shape->passed_count && param->filled_by == index) {
            return true;
        }
    }
    return false;
}

enum plain_way plain_way(const struct plan_view *plan, uint32_t index,
                         const struct cordon_plan_type *type)
{
    static const uint8_t ways[CORDON_PLAN_KIND_COUNT] = {
        [CORDON_PLAN_I32] = PLAIN_I32, [CORDON_PLAN_I64] = PLAIN_I64, [CORDON_PLAN_U32] = PLAIN_U32,
        [CORDON_PLAN_U64] = PLAIN_U64, [CORDON_PLAN_F64] = PLAIN_F64,
    };
    if (view_is_scalar(type)) {
        return ways[type->kind] != PLAIN_NOT ? (enum plain_way)ways[type->kind] : PLAIN_LONG;
    }
    return type->kind == CORDON_PLAN_POINTER && type->direction == CORDON_PLAN_IN &&
                   are_bytes(plan, type) && type->code != CORDON_PLAN_NONE &&
                   is_measured(plan, index)
               ? PLAIN_BYTES
               : PLAIN_NOT;
}

/* An int of few digits, which most are: without asking the interpreter (20 instructions each). */
static inline bool take_compact(PyObject *object, long long *ret_number)
{
#if PY_VERSION_HEX >= 0x030c0000
    const PyLongObject *number = (const PyLongObject *)object;
    if (!PyUnstable_Long_IsCompact(number)) {
        return false;
    }
    *ret_number = PyUnstable_Long_CompactValue(number);
    return true;
#else
    Py_ssize_t digits = Py_SIZE(object); /* negative as the number is */
    if (digits < -1 || digits > 1) {
        return false;
    }
    *ret_number = digits == 0 ? 0 : (long long)digits * ((const PyLongObject *)object)->ob_digit[0];
    return true;
#endif
}

static __attribute__((noinline)) bool take_long(enum plain_way way, PyObject *object,
                                                long long *ret_number)
{
    int overflow = 0;
    *ret_number = PyLong_AsLongLongAndOverflow(object, &overflow);
    return overflow == 0 && (way != PLAIN_I32 || *ret_number == (int32_t)*ret_number) &&
           (way != PLAIN_U32 || *ret_number == (uint32_t)*ret_number);
}

/*
 * False: it does not fit, or is none. As cordon_int() and its like, but straight to its place: a value that is made and then
 * copied is written in small pieces and read in large ones, for which the CPU waits (17 of 290 ns a call).
 */
static inline bool take_int(enum plain_way way, PyObject *object, struct cordon_value *ret_value)
{
    bool is_unsigned = way == PLAIN_U32 || way == PLAIN_U64;
    long long number;
    if (!PyLong_CheckExact(object) ||
        (!take_compact(object, &number) && !take_long(way, object, &number)) ||
        (is_unsigned && number < 0)) {
        return false;
    }
    ret_value->kind = is_unsigned ? CORDON_VALUE_UINT : CORDON_VALUE_INT;
    ret_value->type = is_unsigned ? CORDON_TYPE_UINT : CORDON_TYPE_INT;
    ret_value->i = number;
    ret_value->count = 0;
    return true;
}

static inline bool take(enum plain_way way, PyObject *object, struct cordon_value *ret_value)
{
    switch (way) {
    case PLAIN_I32:
    case PLAIN_I64:
    case PLAIN_U32:
    case PLAIN_U64:
        return take_int(way, object, ret_value);
    case PLAIN_F64:
        if (!PyFloat_CheckExact(object)) {
            return false;
        }
        ret_value->kind = CORDON_VALUE_FLOAT;
        ret_value->type = CORDON_TYPE_DOUBLE;
        ret_value->f = PyFloat_AS_DOUBLE(object);
        ret_value->count = 0;
        return true;
    case PLAIN_BYTES:
        if (!PyBytes_CheckExact(object)) {
            return false;
        }
        ret_value->kind = CORDON_VALUE_MEMORY;
        ret_value->type = 0;
        ret_value->memory = PyBytes_AS_STRING(object);
        ret_value->count = (size_t)PyBytes_GET_SIZE(object);
        return true;
    default:
        return false;
    }
}

bool plain_take(const struct function_object *function, PyObject *const *args, size_t count,
                struct cordon_value *ret_values)
{
    if (!function->plain || count != function->count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!take((enum plain_way)function->ways[i], args[i], &ret_values[i])) {
            return false;
        }
    }
    return true;
}

PyObject *plain_give(const struct function_object *function, const struct cordon_result *result)
{
    return function->returns ? give_word(function->result, &result->value) : Py_NewRef(Py_None);
}

bool plain_call(struct function_object *function, PyObject *const *args, size_t count,
                PyObject **ret_object)
{
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    struct cordon_result result;
    if (!plain_take(function, args, count, values)) {
        return false;
    }
    int r = call_and_wait(function, values, count, CORDON_DEFAULT, &result);
    if (r == CORDON_DONE) {
        *ret_object = plain_give(function, &result);
    } else {
        *ret_object = r == INT_MIN ? NULL : raise_result(function, r, &result);
    }
    return true;
}
