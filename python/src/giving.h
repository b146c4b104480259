/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PYTHON_GIVING_H
#define PYTHON_GIVING_H

/* Giving: what came back from a call as Python objects. Never followed beyond the memory that there is. */

#include "taking.h"

/* The value of a call that is done: one object, or a named tuple. NULL: raised. */
PyObject *give_result(struct taking *taking, const struct cordon_result *result);

/* A number in C layout. */
PyObject *give_number(const struct plan_view *plan, const struct cordon_plan_type *type,
                      const void *memory);
PyObject *give_word(const struct cordon_plan_type *type, const struct cordon_value *value);

/*
 * An object of @type at @memory, for callbacks and objects that live in the worker: pointers in it are followed
 * only where @room says.
 */
struct giving {
    struct function_object *function; /* borrowed; whose handles are given */
    const struct plan_view *plan;
    const struct image *image; /* where pointers may lead; NULL: nowhere */
    bool trusted;              /* they lead to what libcordon made for a callback */
    struct length_scope scope;
    const void *owned; /* memory that the call gave, or NULL */
    size_t owned_bytes;
};

PyObject *give_object(const struct giving *giving, const struct cordon_plan_type *type,
                      const void *memory, const struct cordon_plan_type *owner,
                      const void *owner_memory, uint32_t depth);

/* The class of a struct's values: a named tuple, made once for each name. NULL: raised. */
PyObject *struct_class(struct cell_object *cell, const struct plan_view *plan,
                       const struct cordon_plan_type *record);

#endif
