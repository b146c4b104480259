/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_PLAN_H
#define PROTOTYPE_PLAN_H

/*
 * Reading plans. The bytes' shape stands in cordon/plan.h. A `const struct plan *` names bytes that
 * plan_validate() accepted; accessors do not check again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "cordon/plan.h"

struct plan; /* never defined: the bytes themselves */

/*
 * Judge @bytes as a plan: magic, version, this machine's ABI, hash, table bounds, every index, name and
 * code, alignment and size arithmetic, acyclic by-value types, word numbering. Bounded in time by the
 * size. @bytes must be aligned to 8 and stay unchanged as long as the plan is used.
 *
 * Returns 0 and the plan, or -EBADMSG with the reason, -ENOTSUP for another version or ABI.
 */
int plan_validate(const void *bytes, size_t length, const struct plan **ret_plan,
                  struct message *why);

static inline const struct cordon_plan_header *plan_header(const struct plan *plan)
{
    return (const struct cordon_plan_header *)(const void *)plan;
}

#define PLAN_TABLE(plan, type, at)                                                                 \
    ((const type *)(const void *)((const unsigned char *)(const void *)(plan) +                    \
                                  plan_header(plan)->at))

static inline const struct cordon_plan_function *plan_function(const struct plan *plan, uint32_t i)
{
    return PLAN_TABLE(plan, struct cordon_plan_function, functions_at) + i;
}

static inline const struct cordon_plan_param *plan_param(const struct plan *plan, uint32_t i)
{
    return PLAN_TABLE(plan, struct cordon_plan_param, params_at) + i;
}

static inline const struct cordon_plan_type *plan_type(const struct plan *plan, uint32_t i)
{
    return PLAN_TABLE(plan, struct cordon_plan_type, types_at) + i;
}

static inline const struct cordon_plan_field *plan_field(const struct plan *plan, uint32_t i)
{
    return PLAN_TABLE(plan, struct cordon_plan_field, fields_at) + i;
}

static inline const struct cordon_plan_enumerator *plan_enumerator(const struct plan *plan,
                                                                   uint32_t i)
{
    return PLAN_TABLE(plan, struct cordon_plan_enumerator, enumerators_at) + i;
}

static inline const char *plan_name(const struct plan *plan, uint32_t offset)
{
    return PLAN_TABLE(plan, char, names_at) + offset;
}

/* Parameter @i of @function. */
static inline const struct cordon_plan_param *plan_function_param(
    const struct plan *plan, const struct cordon_plan_function *function, uint32_t i)
{
    return plan_param(plan, function->first_param + i);
}

/* Does a parameter, or something behind one, have to be masked where calls are shown or kept? */
static inline bool plan_has_secrets(const struct plan *plan)
{
    uint32_t i = 0;
    while (i < plan_header(plan)->type_count && !(plan_type(plan, i)->flags & CORDON_PLAN_SECRET)) {
        i++;
    }
    return i < plan_header(plan)->type_count;
}

/* Where a length's code finds its values. Each returns 0 or a negative errno, which ends evaluation. */
struct plan_scope {
    void *context;
    int (*param)(void *context, uint32_t param, int64_t *ret_value);
    int (*deref)(void *context, uint32_t param, int64_t *ret_value);
    int (*field)(void *context, uint32_t field, int64_t *ret_value);
    int (*outer)(void *context, uint32_t param, int64_t *ret_value);
    int (*outer_deref)(void *context, uint32_t param, int64_t *ret_value);
    int (*result)(void *context, int64_t *ret_value);
    /* @args are raw 64-bit arguments. */
    int (*call)(void *context, const char *function, const int64_t *args, uint32_t count,
                int64_t *ret_value);
};

/*
 * Value of the length whose code stands at @code. A function pointer left NULL in @scope makes its
 * operation -ENODATA.
 *
 * Returns 0, -EOVERFLOW (does not fit 63 bits), -ERANGE (negative), -EDOM (division by zero), or what
 * the scope returned.
 */
int plan_evaluate(const struct plan *plan, uint32_t code, const struct plan_scope *scope,
                  uint64_t *ret_value);

#endif
