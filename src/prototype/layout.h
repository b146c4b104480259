/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_LAYOUT_H
#define PROTOTYPE_LAYOUT_H

/*
 * Layout: sizes, alignments and offsets of C types as the platform's compilers lay them out.
 *
 * Source: System V ABI x86-64 section 3.1.2, AAPCS64 section 5; GCC's packed and aligned attributes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "prototype/syntax.h"
#include "prototype/unit.h"

/* Size of one scalar of @kind (enum cordon_plan_kind); alignments equal sizes on both platforms. */
uint32_t layout_scalar_bytes(uint8_t kind);

/* Size and alignment of @type in memory. Refuses at @at what has none. */
bool layout_type(struct unit *unit, const struct ctype *type, uint32_t at, uint32_t *ret_size,
                 uint32_t *ret_align);

/* Place the fields of @record, whose list is complete. @notes: packed and aligned of the struct. */
bool layout_record(struct unit *unit, struct record *record, const struct notes *notes);

/* Value of an expression of constants, enumerators and sizes; refuses anything else. */
bool expression_constant(struct unit *unit, const struct expression *expression,
                         int64_t *ret_value);

/* Are there only constants, enumerators and sizes in @expression? */
bool expression_is_constant(const struct unit *unit, const struct expression *expression);

/* The arithmetic of lengths: 0, -EOVERFLOW, -EDOM (division by zero). */
int expression_apply(enum cordon_plan_op op, int64_t left, int64_t right, int64_t *ret_value);

#endif
