/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PYTHON_PLAIN_H
#define PYTHON_PLAIN_H

/*
 * Plain calls: numbers and bytes in, a number or nothing back. Nothing is held, nothing is allocated; what is not plain after
 * all takes the long way (taking.h, giving.h), which also says what is wrong.
 */

#include "package.h"

/* How a plain parameter's objects become values. */
enum plain_way {
    PLAIN_NOT = 0,
    PLAIN_I32,
    PLAIN_I64,
    PLAIN_U32,
    PLAIN_U64,
    PLAIN_F64,
    PLAIN_BYTES, /* that tell their length by themselves */
    PLAIN_LONG,  /* a number, which takes the long way */
};

/* That of parameter @index; PLAIN_NOT: no call of its function is plain. */
enum plain_way plain_way(const struct plan_view *plan, uint32_t index,
                         const struct cordon_plan_type *type);

/*
 * The arguments of a plain call as values; bytes are those that the caller holds. False: it is another kind of call, or
 * something is wrong.
 */
bool plain_take(const struct function_object *function, PyObject *const *args, size_t count,
                struct cordon_value *ret_values);

/* What it returned. NULL: raised. */
PyObject *plain_give(const struct function_object *function, const struct cordon_result *result);

/* The whole call. False: it is another kind of call; nothing has happened. @ret_object NULL: raised. */
bool plain_call(struct function_object *function, PyObject *const *args, size_t count,
                PyObject **ret_object);

#endif
