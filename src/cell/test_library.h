/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_TEST_LIBRARY_H
#define CELL_TEST_LIBRARY_H

/*
 * The native functions that tests of local and inline workers call, and their declarations: the
 * misdeeds of test/faults, and some of our own.
 */

#include <stdatomic.h>
#include <stddef.h>

enum library_function {
    LIBRARY_TWICE,        /* int twice(int value) */
    LIBRARY_APPLY,        /* int apply(int (*f)(int value), int value): f(value) + 1 */
    LIBRARY_APPLY_SAFE,   /* the same, the callback fails with -5 */
    LIBRARY_APPLY_SIX,    /* f(1, 2, 3, 4, 5, 6) */
    LIBRARY_APPLY_THREAD, /* apply() on a thread of the library's own, which it joins */
    LIBRARY_SPIN,         /* int spin_until_released(int value): until library_released */
    LIBRARY_BLOCKS,       /* int blocks(int signal): whether the calling thread blocks it */
    LIBRARY_NAMED,        /* int named(int unused): whether the thread is called cordon-worker */
    LIBRARY_SET_ERRNO,    /* int set_errno(int value) */
    LIBRARY_NULL_READ,
    LIBRARY_BUS,
    LIBRARY_FPE,
    LIBRARY_ILL,
    LIBRARY_ABORT,
    LIBRARY_OVERFLOW,
    LIBRARY_COUNT,
};

extern _Atomic int library_released;
extern _Atomic int library_spinning; /* how often spin_until_released() was entered */

/* As engine_config.resolve. */
void *library_resolve(void *context, const char *symbol);

/* The plan of @function; lives as long as the process. Ends the test if it does not parse. */
const void *library_plan(enum library_function function, size_t *ret_bytes);

#endif
