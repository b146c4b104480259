/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_PLATFORM_H
#define CORDON_PLATFORM_H

/*
 * Platform: which mechanisms this kernel lets this process use, which are missing and why, and what that
 * means for a cell. What a cell has in the end is told by cordon_cell_isolation().
 */

#include <stddef.h>
#include <stdint.h>

#include "cordon/cell.h"
#include "cordon/error.h"
#include "cordon/export.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cordon_platform;

enum cordon_platform_state {
    CORDON_PLATFORM_MISSING = 0,
    CORDON_PLATFORM_PARTLY = 1, /* an older version of it */
    CORDON_PLATFORM_THERE = 2,
};

/* One row. Texts live as long as the table, names for ever. */
struct cordon_platform_mechanism {
    const char *name; /* stable: "landlock", "userns", "seccomp_notify" */
    enum cordon_platform_state state;
    uint32_t version;    /* of the kernel's interface; 0: it has none, or is missing */
    int error;           /* errno of the attempt; 0 */
    const char *why;     /* what forbids it, in words; "" */
    const char *meaning; /* for a cell, as things are here */
    uint32_t mechanism;  /* enum cordon_mechanism; 0: none that can be required or switched off */
    uint32_t isolation;  /* enum cordon_isolation: promises that need it */
};

/* Where a program that Cordon starts comes from. */
struct cordon_platform_program {
    const char *name; /* "cordon-keeper" */
    const char *path; /* "": built into the library */
    size_t bytes;     /* of the built-in copy; 0: a file */
    int error;        /* errno: it cannot be read; 0 */
};

/*
 * Try every mechanism, each in a process of its own as a worker would use it; a few milliseconds.
 * Leaves this process as it was.
 *
 * @keeper_path  as in the options of a cell; NULL: the default.
 * Returns 0, or a negative errno when there is no keeper to examine with; the sentence is in @ret_error.
 * Threads: any.
 */
CORDON_API CORDON_MUST_USE int cordon_platform_examine(const char *keeper_path,
                                                       struct cordon_platform **ret_platform,
                                                       struct cordon_error *ret_error);

/* NULL is fine. */
CORDON_API void cordon_platform_free(struct cordon_platform *platform);

/* Row @index; NULL behind the last. */
CORDON_API const struct cordon_platform_mechanism *cordon_platform_mechanism(
    const struct cordon_platform *platform, size_t index);

/* Program @index; NULL behind the last. */
CORDON_API const struct cordon_platform_program *cordon_platform_program(
    const struct cordon_platform *platform, size_t index);

/* Name of one bit of enum cordon_mechanism ("landlock"); NULL for others. */
CORDON_API const char *cordon_mechanism_name(uint32_t bit);

#ifdef __cplusplus
}
#endif

#endif
