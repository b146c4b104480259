/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PYTHON_TAKING_H
#define PYTHON_TAKING_H

/*
 * Taking: Python objects as the arguments of one call, in C layout. What an argument points to is memory of the taking's,
 * or of an object that has a buffer, which is then held and used in place.
 *
 * Life: taking_begin(), take_arguments(), the call, giving (giving.h), taking_end().
 */

#include "json/image.h"
#include "json/length.h"
#include "package.h"

#define TAKING_VIEWS 16u /* buffers that are held at once; what is more is copied */

struct taking {
    struct taking *next_free;
    struct function_object *function; /* borrowed */
    struct image image;
    struct length_scope scope;
    struct message why;
    struct cordon_value values[2 * CORDON_PLAN_PARAMS_MAX]; /* those of `...` behind the others */
    size_t count;
    PyObject *given[CORDON_PLAN_PARAMS_MAX]; /* by position, borrowed; NULL: nothing was */
    PyObject
        *rooms[CORDON_PLAN_PARAMS_MAX]; /* by position, owned: bytes that an output is written to */
    Py_buffer views[TAKING_VIEWS];
    uint32_t view_count;
    struct call_back *callbacks; /* of this call alone */
    PyObject *raised;            /* what a callback raised: owned */
};

/* NULL: raised. */
struct taking *taking_begin(struct function_object *function);
void taking_end(struct taking *taking);

/*
 * The arguments of a call as vectorcall has them; @skip: index of a name that is none; -1. Returns 0, -1: raised
 * (TypeError, OverflowError, ValueError, with the parameter's name).
 */
int take_arguments(struct taking *taking, PyObject *const *args, size_t positional, PyObject *names,
                   Py_ssize_t skip);

/* Raise that @count elements are fewer than the length that was given for them. Returns -1. */
int take_refuse_few(struct taking *taking, size_t count, uint64_t needed);

/* Raise what the image has refused, as a ValueError. Returns -1. */
int take_raise(struct taking *taking);

/* Raise @exception: "crc32(): argument 'points'[3].x: ...". Returns -1. */
int take_refuse(struct taking *taking, PyObject *exception, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- One value ---------------------------------------------------------------------------------- */

/* A number of @type as a word that number_put() stores. */
int take_number(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                uint64_t *ret_word);
void number_put(const struct cordon_plan_type *type, uint64_t word, void *memory);
struct cordon_value number_as_value(const struct cordon_plan_type *type, uint64_t word);

/* @object as an object of @type at @memory. */
int take_store(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
               void *memory);
int take_struct(struct taking *taking, const struct cordon_plan_type *record, PyObject *object,
                uint8_t *memory);

/* The elements that a POINTER or STRING names, in memory with room for @capacity of them. */
int take_elements(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                  uint64_t capacity, void **ret_memory, size_t *ret_count);

/* Handles, tokens, callbacks. */
int take_opaque(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                struct cordon_value *ret_value);

/* A callable as a callback: of this call, or kept with the cell. */
int take_callable(struct taking *taking, const struct cordon_plan_type *type, PyObject *callable,
                  struct cordon_callback **ret_callback);
void callbacks_end(struct taking *taking);

#endif
