/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_PLAN_VIEW_H
#define JSON_PLAN_VIEW_H

/* Reading a plan that libcordon made (cordon/plan.h says the shape): trusted, hence unchecked. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cordon/plan.h"

struct plan_view; /* never defined: the plan's bytes themselves */

static inline const struct cordon_plan_header *view_header(const struct plan_view *plan)
{
    return (const struct cordon_plan_header *)(const void *)plan;
}

#define VIEW_TABLE(plan, type, at)                                                                 \
    ((const type *)(const void *)((const unsigned char *)(const void *)(plan) +                    \
                                  view_header(plan)->at))

/* The function itself. */
static inline const struct cordon_plan_function *view_function(const struct plan_view *plan)
{
    return VIEW_TABLE(plan, struct cordon_plan_function, functions_at);
}

/* Parameter @i of the function itself. */
static inline const struct cordon_plan_param *view_param(const struct plan_view *plan, uint32_t i)
{
    return VIEW_TABLE(plan, struct cordon_plan_param, params_at) +
           view_function(plan)->first_param + i;
}

static inline const struct cordon_plan_type *view_type(const struct plan_view *plan, uint32_t i)
{
    return VIEW_TABLE(plan, struct cordon_plan_type, types_at) + i;
}

/* Field @i of a STRUCT. */
static inline const struct cordon_plan_field *view_field(const struct plan_view *plan,
                                                         const struct cordon_plan_type *record,
                                                         uint32_t i)
{
    /* A union has an owner: plans are checked. NOLINTNEXTLINE(clang-analyzer-*) */
    return VIEW_TABLE(plan, struct cordon_plan_field, fields_at) + record->first + i;
}

/* Enumerator @i of a type with CORDON_PLAN_ENUM. */
static inline const struct cordon_plan_enumerator *view_enumerator(
    const struct plan_view *plan, const struct cordon_plan_type *type, uint32_t i)
{
    return VIEW_TABLE(plan, struct cordon_plan_enumerator, enumerators_at) + type->first + i;
}

static inline const char *view_name(const struct plan_view *plan, uint32_t offset)
{
    return VIEW_TABLE(plan, char, names_at) + offset;
}

static inline const uint8_t *view_code(const struct plan_view *plan, uint32_t offset)
{
    return VIEW_TABLE(plan, uint8_t, code_at) + offset;
}

/* What a POINTER points to, or an ARRAY holds. void counts as bytes. */
const struct cordon_plan_type *view_target(const struct plan_view *plan,
                                           const struct cordon_plan_type *type);

/* Bytes of one element of a POINTER. */
size_t view_element_bytes(const struct plan_view *plan, const struct cordon_plan_type *type);

/* Whether elements of @type, a POINTER or ARRAY, are bytes: given as text, @FILE, hex:, base64:. */
bool view_is_bytes(const struct plan_view *plan, const struct cordon_plan_type *type);

static inline bool view_is_integer(const struct cordon_plan_type *type)
{
    return type->kind >= CORDON_PLAN_BOOL && type->kind <= CORDON_PLAN_U64;
}

static inline bool view_is_scalar(const struct cordon_plan_type *type)
{
    return type->kind >= CORDON_PLAN_BOOL && type->kind <= CORDON_PLAN_F64;
}

/* Whether memory of the caller stands behind a parameter of @type. */
static inline bool view_is_memory(const struct cordon_plan_type *type)
{
    return type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_STRING;
}

/* Whether a parameter only comes back. */
static inline bool view_only_out(const struct cordon_plan_type *type)
{
    return view_is_memory(type) && type->direction == CORDON_PLAN_OUT;
}

/* "uint8_t", "handle". */
const char *view_kind_name(uint8_t kind);

/*
 * What a person calls @type: "uint32_t", "bytes", "string", "array of int32_t", "struct point".
 * Cut at @size. Returns @text.
 */
const char *view_type_text(const struct plan_view *plan, const struct cordon_plan_type *type,
                           char *text, size_t size);

#endif
