/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_PLAN_CODE_H
#define PROTOTYPE_PLAN_CODE_H

/* What a length's code uses, found by reading it once; for plan_validate(). */

#include <stdbool.h>
#include <stdint.h>

#include "cordon/plan.h"

/* Parameters by bit: CORDON_PLAN_PARAMS_MAX is 64. */
struct code_uses {
    uint64_t values;       /* PARAM */
    uint64_t arguments;    /* PARAM, in code that calls: handles are fine there */
    uint64_t derefs;       /* DEREF */
    uint64_t outer_values; /* OUTER */
    uint64_t outer_derefs; /* OUTER_DEREF */
    uint64_t within;       /* not of code: parameters that WITHIN types name */
    uint64_t handles;      /* likewise BORROWED, KEEP_RELEASE */
    bool field;            /* FIELD occurs */
    bool result;           /* RESULT occurs */
    bool call;             /* CALL occurs */
};

/* Add @more to @uses. */
void code_uses_join(struct code_uses *uses, const struct code_uses *more);

/*
 * Read the code at @code[@at]. @names_bytes judges CALL's name.
 * Returns what is wrong with it, or NULL and @ret_uses.
 */
const char *code_check(const unsigned char *code, uint32_t code_bytes, uint32_t at,
                       uint32_t names_bytes, struct code_uses *ret_uses);

/* The next FIELD index of checked code from *@at on; false at its end. */
bool code_next_field(const unsigned char *code, uint32_t *at, uint16_t *ret_field);

/* The parameter that checked code names and nothing else, or CORDON_PLAN_NONE. */
uint32_t code_plain_param(const unsigned char *code, uint32_t at);

#endif
