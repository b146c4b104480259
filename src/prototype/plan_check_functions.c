/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/plan_check.h"

#include <string.h>

#include "prototype/numbering.h"

/* The parameters of a function by what they can be used for. */
struct param_bits {
    uint64_t integers;
    uint64_t words; /* integers, handles, tokens: arguments of CALL */
    uint64_t integer_pointers;
    uint64_t memory; /* what WITHIN can point into */
    uint64_t handles;
};

static struct param_bits param_bits_of(const struct validator *v,
                                       const struct cordon_plan_function *function)
{
    struct param_bits bits = {0};
    for (uint32_t i = 0; i < function->param_count; i++) {
        uint32_t index = plan_function_param(v->plan, function, i)->type;
        const struct cordon_plan_type *type = &v->types[index];
        uint64_t bit = 1ull << i;
        bool pointer = type->kind == CORDON_PLAN_POINTER;
        bits.integers |= is_integer(v, index) ? bit : 0;
        bits.words |= type->kind == CORDON_PLAN_HANDLE || type->kind == CORDON_PLAN_TOKEN ||
                              is_integer(v, index)
                          ? bit
                          : 0;
        bits.integer_pointers |=
            pointer && type->code == CORDON_PLAN_NONE && is_integer(v, type->target) ? bit : 0;
        bits.memory |=
            pointer || type->kind == CORDON_PLAN_STRING || type->kind == CORDON_PLAN_WITHIN ? bit
                                                                                            : 0;
        bool handle = type->kind == CORDON_PLAN_HANDLE ||
                      (pointer && v->types[type->target].kind == CORDON_PLAN_HANDLE);
        bits.handles |= handle ? bit : 0;
    }
    return bits;
}

static const char *check_uses(const struct validator *v,
                              const struct cordon_plan_function *function, uint32_t type,
                              const struct param_bits *own, const struct param_bits *outer)
{
    const struct code_uses *uses = &v->facts[type].uses;
    if (uses->field) {
        return "a length names a member outside of a struct";
    }
    if ((uses->values & ~own->integers) || (uses->derefs & ~own->integer_pointers) ||
        (uses->arguments & ~own->words) || (uses->outer_values & ~outer->integers) ||
        (uses->outer_derefs & ~outer->integer_pointers) || (uses->within & ~own->memory) ||
        (uses->handles & ~own->handles)) {
        return "it names a parameter that is none, or of another kind";
    }
    if (uses->result && !is_integer(v, function->result.type)) {
        return "a length names a result that is no integer";
    }
    return NULL;
}

static const char *check_filled(const struct validator *v,
                                const struct cordon_plan_function *function,
                                const struct cordon_plan_param *param, uint32_t index)
{
    if (!(param->flags & CORDON_PLAN_FILLED)) {
        return param->filled_by == 0 ? NULL : "it is filled by what does not fill it";
    }
    if (param->filled_by >= function->param_count || !is_integer(v, param->type)) {
        return "nothing fills it";
    }
    const struct cordon_plan_type *array =
        &v->types[plan_function_param(v->plan, function, param->filled_by)->type];
    if (array->kind != CORDON_PLAN_POINTER || array->code == CORDON_PLAN_NONE ||
        array->direction == CORDON_PLAN_OUT || code_plain_param(v->code, array->code) != index) {
        return "it is filled by what does not have its length";
    }
    return NULL;
}

static const char *check_param(const struct validator *v, const struct cordon_plan_param *param,
                               bool is_result)
{
    if (!is_name(v, param->name) || param->type >= v->header.type_count ||
        (param->flags & ~(uint32_t)CORDON_PLAN_FILLED) != 0 || param->reserved[0] != 0 ||
        param->reserved[1] != 0) {
        return "it is malformed";
    }
    uint8_t kind = v->types[param->type].kind;
    bool fits = is_result ? kind != CORDON_PLAN_VARARGS : kind != CORDON_PLAN_VOID;
    fits = fits && kind != CORDON_PLAN_ARRAY && kind != CORDON_PLAN_UNION;
    return fits ? NULL : "nothing of this type is passed";
}

#define FUNCTION_FLAGS_ALL ((CORDON_PLAN_ANYTHREAD << 1) - 1u)

static const char *check_function_shape(const struct validator *v, uint32_t self)
{
    const struct cordon_plan_function *f = plan_function(v->plan, self);
    if (!is_name(v, f->name) || !is_name(v, f->symbol) || !is_name(v, f->comment) ||
        (f->flags & ~FUNCTION_FLAGS_ALL) != 0 || f->reserved != 0 || f->reserved2[0] != 0 ||
        f->reserved2[1] != 0 || f->reserved2[2] != 0 || f->reserved2[3] != 0) {
        return "it is malformed";
    }
    if (f->param_count > CORDON_PLAN_PARAMS_MAX ||
        check_range(f->first_param, f->param_count, v->header.param_count)) {
        return "its parameters lie outside";
    }
    if (f->outer != CORDON_PLAN_NONE && (self == 0 || f->outer >= self)) {
        return "it is inside of what does not stand before it";
    }
    const char *wrong = check_param(v, &f->result, true);
    if (!wrong && (f->result.flags != 0 || f->result.filled_by != 0 || f->result.name != 0)) {
        wrong = "its result is malformed";
    }
    for (uint32_t i = 0; i < f->param_count && !wrong; i++) {
        const struct cordon_plan_param *param = plan_function_param(v->plan, f, i);
        const struct cordon_plan_type *type = NULL;
        wrong = check_param(v, param, false);
        type = wrong ? NULL : &v->types[param->type];
        bool dots =
            type && type->kind == CORDON_PLAN_VARARGS && !(type->flags & CORDON_PLAN_VA_LIST);
        bool last = (f->flags & CORDON_PLAN_VARIADIC) && i + 1 == f->param_count;
        if (!wrong && dots != last) {
            wrong = "`...` stands elsewhere than at the end";
        }
    }
    return !wrong && (f->flags & CORDON_PLAN_VARIADIC) && f->param_count == 0
               ? "`...` stands elsewhere than at the end"
               : wrong;
}

static const char *check_numbering(const struct validator *v,
                                   const struct cordon_plan_function *function)
{
    struct cordon_plan_function expected = *function;
    struct cordon_plan_param params[CORDON_PLAN_PARAMS_MAX];
    const struct cordon_plan_param *actual = plan_function_param(v->plan, function, 0);
    size_t bytes = function->param_count * sizeof params[0];
    memcpy(params, actual, bytes);
    numbering_assign(v->types, &expected, params);
    bool same =
        memcmp(&expected, function, sizeof expected) == 0 && memcmp(params, actual, bytes) == 0;
    return same ? NULL : "its words are not numbered as its types want";
}

static const char *check_function(const struct validator *v, uint32_t self)
{
    const struct cordon_plan_function *f = plan_function(v->plan, self);
    struct param_bits own = param_bits_of(v, f);
    struct param_bits outer = {0};
    if (f->outer != CORDON_PLAN_NONE) {
        outer = param_bits_of(v, plan_function(v->plan, f->outer));
    }
    const char *wrong = check_uses(v, f, f->result.type, &own, &outer);
    for (uint32_t i = 0; i < f->param_count && !wrong; i++) {
        const struct cordon_plan_param *param = plan_function_param(v->plan, f, i);
        wrong = check_uses(v, f, param->type, &own, &outer);
        wrong = wrong ? wrong : check_filled(v, f, param, i);
    }
    return wrong ? wrong : check_numbering(v, f);
}

int plan_check_functions(const struct validator *v)
{
    for (uint32_t i = 0; i < v->header.function_count; i++) {
        const char *wrong = check_function_shape(v, i);
        if (wrong) {
            return plan_bad_at(v, "function", i, wrong);
        }
    }
    for (uint32_t i = 0; i < v->header.function_count; i++) {
        const char *wrong = check_function(v, i);
        if (wrong) {
            return plan_bad_at(v, "function", i, wrong);
        }
    }
    return 0;
}
