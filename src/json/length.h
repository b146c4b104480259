/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_LENGTH_H
#define JSON_LENGTH_H

/*
 * Lengths: the postfix code of a plan, evaluated over the arguments of one call. The command line does
 * not carry outputs, so their room has to be found out before the call, and what came back after it.
 */

#include "json/plan_view.h"
#include "cordon/value.h"

/* Where a length finds its values. */
struct length_scope {
    const struct plan_view *plan;
    const struct cordon_value *args;      /* by position */
    size_t arg_count;                     /* those that are known already */
    const struct cordon_value *result;    /* NULL: not yet */
    const struct cordon_plan_type *owner; /* the struct whose members are meant, or NULL */
    const void *image;                    /* its bytes */
};

/*
 * Value of the length at @code, an offset into the plan's code table.
 *
 * Returns 0; -ENODATA (names what is not known: a callback's outer call, a function of the library, an
 * argument that is NULL or has no value), -EOVERFLOW, -ERANGE (negative), -EDOM (division by zero),
 * -EBADMSG (not a length).
 */
int length_evaluate(const struct length_scope *scope, uint32_t code, uint64_t *ret_value);

/* A sentence's end for these errors: "comes out negative". */
const char *length_error_text(int error);

/* Integer of @kind in C layout at @memory, extended to 64 bits. */
uint64_t length_load(uint8_t kind, const void *memory);

#endif
