/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_INTERFACE_H
#define CORDON_INTERFACE_H

/*
 * Interface: what a prototype text or an interface file declares, compiled to plans (plan.h). Cells
 * make one from their options; tools and other languages use this to see inside without a cell.
 *
 * Threads: immutable once parsed.
 */

#include <stddef.h>

#include "cordon/error.h"
#include "cordon/export.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cordon_interface;

/*
 * Parse and compile @text.
 *
 * @name    what errors call the text: a file name, or "prototype".
 * @length  bytes; the text needs no NUL.
 *
 * Returns 0, -EINVAL (a mistake: line, column and caret in @ret_error), -ENOTSUP (understood, not
 * supported: the reason), -E2BIG (a limit, named), -ENOMEM.
 */
CORDON_API CORDON_MUST_USE int cordon_interface_parse(const char *name, const char *text,
                                                      size_t length,
                                                      struct cordon_interface **ret_interface,
                                                      struct cordon_error *ret_error);

/* NULL is fine. */
CORDON_API void cordon_interface_free(struct cordon_interface *interface_);

/* The library that the text names on top, or NULL. Borrowed. */
CORDON_API const char *cordon_interface_library(const struct cordon_interface *interface_);

CORDON_API size_t cordon_interface_function_count(const struct cordon_interface *interface_);

/* Plan of function @index: borrowed, aligned to 8. NULL beyond the count. */
CORDON_API const void *cordon_interface_plan(const struct cordon_interface *interface_,
                                             size_t index, size_t *ret_bytes);

#ifdef __cplusplus
}
#endif

#endif
