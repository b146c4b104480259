/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_PLAN_CHECK_H
#define PROTOTYPE_PLAN_CHECK_H

/* What the parts of plan_validate() share. Private to plan_validate.c and plan_check_*.c. */

#include <stdbool.h>
#include <stddef.h>

#include "prototype/plan.h"
#include "prototype/plan_code.h"

/* What is known of a type once it was judged. */
struct type_facts {
    uint8_t height;
    struct code_uses uses;
};

struct validator {
    const struct plan *plan;
    struct cordon_plan_header header;
    const struct cordon_plan_type *types;
    const struct cordon_plan_field *fields;
    const unsigned char *code;
    const char *names;
    struct type_facts *facts;
    struct message *why;
};

/* Judge all types, in order, and fill in v->facts; then all functions. Names lie inside, headers fit. */
int plan_check_types(struct validator *v);
int plan_check_functions(const struct validator *v);

/* Refuse: @what of record @index of @table. */
int plan_bad_at(const struct validator *v, const char *table, uint32_t index, const char *what);

static inline bool is_name(const struct validator *v, uint32_t name)
{
    return name < v->header.names_bytes;
}

static inline bool is_integer(const struct validator *v, uint32_t type)
{
    return v->types[type].kind >= CORDON_PLAN_BOOL && v->types[type].kind <= CORDON_PLAN_U64;
}

static inline const char *check_range(uint32_t first, uint32_t count, uint32_t total)
{
    return first > total || count > total - first ? "names records that are not there" : NULL;
}

#endif
