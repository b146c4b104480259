/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_VALUE_H
#define CORDON_VALUE_H

/*
 * Value: one argument, or one result, in the caller's terms.
 *
 * Scalars are held in the value. Everything with an address - arrays, structs, strings, `out int *`
 * - is memory of the caller in the platform's C layout: Cordon copies out of it, or into it, by the
 * prototype, and follows pointers inside it as the prototype says. The caller's memory is read before
 * a call is sent and written only when the call ends as CORDON_DONE.
 *
 * What MEMORY is for a pointer to one object:
 *   out int *x                    one int
 *   out struct db **db            one struct cordon_handle
 *   out within(s) char **end      one uint64_t: the offset in bytes, UINT64_MAX for NULL
 *   out owned(free) char **s      one void *: memory from malloc() or NULL, freed by the caller
 *   inout owned(free) char **s    one void *: a string or NULL, replaced by a new one as above; the old
 *                                 string stays the caller's to free
 * Handles inside structs and arrays are eight bytes, generation << 32 | index; callbacks inside structs
 * are a struct cordon_callback *. A result within an argument is UINT, its offset, or NULL.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A native object that stays in its worker. A value, copied freely; all zero is "no handle". */
struct cordon_handle {
    uint32_t worker;     /* which worker, never used twice in a process */
    uint32_t generation; /* of the index */
    uint32_t index;
    uint32_t tag; /* of the object's type */
};

struct cordon_callback; /* callback.h */

enum cordon_value_kind {
    CORDON_VALUE_NULL = 0, /* NULL where a pointer is expected; no result where one could be */
    CORDON_VALUE_INT,      /* i */
    CORDON_VALUE_UINT,  /* u; also bool, tokens, a result inside an argument (an offset in bytes) */
    CORDON_VALUE_FLOAT, /* f; float and double */
    CORDON_VALUE_MEMORY,   /* memory, count */
    CORDON_VALUE_HANDLE,   /* handle */
    CORDON_VALUE_CALLBACK, /* callback */
};

/* What a value is in C where no prototype says so: arguments of `...`. */
enum cordon_type {
    CORDON_TYPE_DECLARED = 0, /* the prototype says it */
    CORDON_TYPE_INT,
    CORDON_TYPE_UINT,
    CORDON_TYPE_LONG,
    CORDON_TYPE_ULONG,
    CORDON_TYPE_LLONG,
    CORDON_TYPE_ULLONG,
    CORDON_TYPE_SIZE,
    CORDON_TYPE_DOUBLE,
    CORDON_TYPE_STRING,
    CORDON_TYPE_POINTER, /* a token or a handle */
};

struct cordon_value {
    uint32_t kind; /* enum cordon_value_kind */
    uint32_t type; /* enum cordon_type */
    __extension__ union {
        int64_t i;
        uint64_t u;
        double f;
        void *memory; /* written through only for OUT and INOUT parameters */
        struct cordon_handle handle;
        struct cordon_callback *callback;
    };
    size_t count; /* MEMORY: elements (bytes of a string without its NUL; capacity of an OUT one) */
};

static inline struct cordon_value cordon_null(void)
{
    struct cordon_value value;
    memset(&value, 0, sizeof value);
    return value;
}

static inline struct cordon_value cordon_int(int64_t i)
{
    struct cordon_value value = cordon_null();
    value.kind = CORDON_VALUE_INT;
    value.type = CORDON_TYPE_INT;
    value.i = i;
    return value;
}

static inline struct cordon_value cordon_uint(uint64_t u)
{
    struct cordon_value value = cordon_null();
    value.kind = CORDON_VALUE_UINT;
    value.type = CORDON_TYPE_UINT;
    value.u = u;
    return value;
}

static inline struct cordon_value cordon_bool(bool b)
{
    return cordon_uint(b ? 1 : 0);
}

static inline struct cordon_value cordon_float(double f)
{
    struct cordon_value value = cordon_null();
    value.kind = CORDON_VALUE_FLOAT;
    value.type = CORDON_TYPE_DOUBLE;
    value.f = f;
    return value;
}

/* @count elements of the parameter's element type at @memory, only read. */
static inline struct cordon_value cordon_in(const void *memory, size_t count)
{
    struct cordon_value value = cordon_null();
    value.kind = CORDON_VALUE_MEMORY;
    value.memory = (void *)(uintptr_t)memory;
    value.count = count;
    return value;
}

/* Room for @count elements at @memory, read (inout) and written as the prototype says. */
static inline struct cordon_value cordon_out(void *memory, size_t count)
{
    return cordon_in(memory, count);
}

static inline struct cordon_value cordon_string(const char *string)
{
    struct cordon_value value = cordon_in(string, string ? strlen(string) : 0);
    value.type = CORDON_TYPE_STRING;
    if (!string) {
        value.kind = CORDON_VALUE_NULL;
    }
    return value;
}

static inline struct cordon_value cordon_object(struct cordon_handle handle)
{
    struct cordon_value value = cordon_null();
    value.kind = CORDON_VALUE_HANDLE;
    value.type = CORDON_TYPE_POINTER;
    value.handle = handle;
    return value;
}

static inline struct cordon_value cordon_function_pointer(struct cordon_callback *callback)
{
    struct cordon_value value = cordon_null();
    value.kind = CORDON_VALUE_CALLBACK;
    value.callback = callback;
    return value;
}

/* An argument of `...` with another C type than int, unsigned, double, string or pointer. */
static inline struct cordon_value cordon_typed(struct cordon_value value, enum cordon_type type)
{
    value.type = (uint32_t)type;
    return value;
}

#ifdef __cplusplus
}
#endif

#endif
