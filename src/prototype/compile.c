/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/compile.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "prototype/layout.h"
#include "prototype/numbering.h"

static bool is_integer_kind(uint8_t kind)
{
    return kind >= CORDON_PLAN_BOOL && kind <= CORDON_PLAN_U64;
}

static const struct cordon_plan_type *types_of(const struct compiler *compiler)
{
    return (const struct cordon_plan_type *)(const void *)compiler->builder.types.bytes;
}

static bool compile_parameters(struct compiler *compiler, const struct signature *signature,
                               struct cordon_plan_param *params)
{
    uint32_t i = 0;
    const struct parameter *parameter = signature->parameters;
    for (; parameter; parameter = parameter->next, i++) {
        compiler->scope->param = i;
        params[i].name = builder_name(&compiler->builder, parameter->name);
        params[i].type = compile_type(compiler, parameter->type, &parameter->notes, PLACE_PARAM,
                                      parameter->name, parameter->at);
        if (params[i].type == CORDON_PLAN_NONE) {
            return false;
        }
    }
    if (signature->variadic) {
        struct cordon_plan_type variadic = type_blank(CORDON_PLAN_VARARGS);
        variadic.name = builder_name(&compiler->builder, "...");
        params[i].name = variadic.name;
        params[i].type = builder_type(&compiler->builder, &variadic);
    }
    return !compiler->unit->error;
}

/* Parameters that do nothing but tell how long arrays are that go in. */
static void mark_filled(const struct compiler *compiler, struct cordon_plan_param *params,
                        uint32_t count)
{
    const struct scope *scope = compiler->scope;
    uint64_t filled = scope->exact_uses & ~scope->other_uses;
    for (uint32_t i = 0; i < count; i++) {
        if ((filled >> i & 1) && is_integer_kind(types_of(compiler)[params[i].type].kind)) {
            params[i].flags |= CORDON_PLAN_FILLED;
            params[i].filled_by = scope->filled_by[i];
        }
    }
}

static bool pointer_like(const struct cordon_plan_type *type)
{
    return type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_STRING ||
           type->kind == CORDON_PLAN_WITHIN;
}

/* What `within`, `borrowed` and `kept(until release)` name must be something of that sort. */
static bool check_within(struct compiler *compiler, const struct cordon_plan_param *params,
                         uint32_t type_index, uint32_t at)
{
    const struct cordon_plan_type *types = types_of(compiler);
    for (uint32_t i = type_index; i != CORDON_PLAN_NONE;
         i = types[i].kind == CORDON_PLAN_POINTER ? types[i].target : CORDON_PLAN_NONE) {
        const struct cordon_plan_type *type = &types[i];
        if (type->within == CORDON_PLAN_NONE) {
            continue;
        }
        const struct cordon_plan_type *named = &types[params[type->within].type];
        const struct cordon_plan_type *pointee =
            named->kind == CORDON_PLAN_POINTER && named->target != CORDON_PLAN_NONE
                ? &types[named->target]
                : named;
        bool fits = type->kind == CORDON_PLAN_WITHIN
                        ? pointer_like(named)
                        : named->kind == CORDON_PLAN_HANDLE || pointee->kind == CORDON_PLAN_HANDLE;
        if (!fits) {
            return !unit_refuse(compiler->unit, at, -EINVAL,
                                type->kind == CORDON_PLAN_WITHIN
                                    ? "`within` needs an array or a string of the arguments"
                                    : "`borrowed` and `kept(until release ...)` need a handle");
        }
    }
    return true;
}

/* Parameters and result of @type, compiled in @scope, into the function's record. */
static bool compile_body(struct compiler *compiler, const struct ctype *type,
                         const struct notes *notes, const char *name, uint32_t at,
                         struct cordon_plan_function *function)
{
    struct cordon_plan_param params[CORDON_PLAN_PARAMS_MAX] = {0};
    struct builder *builder = &compiler->builder;
    const struct signature *signature = type->signature;
    uint32_t count = signature->count + (signature->variadic ? 1u : 0u);
    if (!compile_parameters(compiler, signature, params)) {
        return false;
    }
    compiler->scope->param = CORDON_PLAN_NONE;
    function->result.type = compile_type(compiler, type->target, notes, PLACE_RESULT, name, at);
    if (function->result.type == CORDON_PLAN_NONE ||
        !check_within(compiler, params, function->result.type, at)) {
        return false;
    }
    const struct parameter *parameter = signature->parameters;
    for (uint32_t i = 0; parameter; parameter = parameter->next, i++) {
        if (!check_within(compiler, params, params[i].type, parameter->at)) {
            return false;
        }
    }
    mark_filled(compiler, params, count);
    function->param_count = count;
    function->flags |= signature->variadic ? CORDON_PLAN_VARIADIC : 0u;
    numbering_assign(types_of(compiler), function, params);
    uint32_t first = builder_append(builder, &builder->params, params, count * sizeof params[0]);
    function->first_param = first / (uint32_t)sizeof params[0];
    return first != CORDON_PLAN_NONE;
}

static void function_store(struct builder *builder, uint32_t index,
                           const struct cordon_plan_function *function)
{
    memcpy(builder->functions.bytes + (size_t)index * sizeof *function, function, sizeof *function);
}

/* Reserve the record of a function, so that its index is known while it is compiled. */
static uint32_t function_reserve(struct builder *builder)
{
    struct cordon_plan_function empty = {.outer = CORDON_PLAN_NONE};
    uint32_t at = builder_append(builder, &builder->functions, &empty, sizeof empty);
    return at == CORDON_PLAN_NONE ? at : at / (uint32_t)sizeof empty;
}

static bool callback_result_fits(struct compiler *compiler, uint32_t type, uint32_t at)
{
    uint8_t kind = types_of(compiler)[type].kind;
    if (kind != CORDON_PLAN_STRING && kind != CORDON_PLAN_POINTER) {
        return true;
    }
    return !unit_refuse(
        compiler->unit, at, -ENOTSUP,
        "a callback cannot give memory to the library, since nobody could say how "
        "long it is needed: only numbers, structs, handles, tokens and within(...)");
}

uint32_t compile_callback(struct compiler *compiler, const struct ctype *type,
                          const struct notes *notes, const char *name, uint32_t at)
{
    struct builder *builder = &compiler->builder;
    if (++compiler->callbacks > LIMIT_CALLBACK_SHAPES) {
        (void)unit_refuse(compiler->unit, at, -E2BIG,
                          "more callbacks than LIMIT_CALLBACK_SHAPES (%u)", LIMIT_CALLBACK_SHAPES);
    }
    uint32_t index = function_reserve(builder);
    if (index == CORDON_PLAN_NONE) {
        return index;
    }
    struct scope *outer = compiler->scope;
    struct scope scope = {.signature = type->signature,
                          .result = type->target,
                          .outer = outer && outer->signature ? outer : NULL,
                          .function = index};
    struct cordon_plan_function function = {.name = builder_name(builder, name),
                                            .outer =
                                                scope.outer ? outer->function : CORDON_PLAN_NONE};
    struct notes plain = {0};
    function.symbol = function.name;
    if (notes->escape) {
        function.flags |= CORDON_PLAN_NORETURN;
    }
    if (notes->anythread) {
        function.flags |= CORDON_PLAN_ANYTHREAD;
    }
    if (notes->fails) {
        function.flags |= CORDON_PLAN_FAILS;
        if (!expression_constant(compiler->unit, notes->fails, &function.fails)) {
            return CORDON_PLAN_NONE;
        }
    }
    compiler->scope = &scope;
    bool compiled = compile_body(compiler, type, &plain, name, at, &function) &&
                    callback_result_fits(compiler, function.result.type, at);
    compiler->scope = outer;
    if (!compiled) {
        return CORDON_PLAN_NONE;
    }
    function_store(builder, index, &function);
    return index;
}

void *compile_function(struct compiler *compiler, const struct function *source, struct pool *pool,
                       uint32_t *ret_bytes)
{
    struct builder *builder = &compiler->builder;
    struct scope scope = {.signature = source->type->signature, .result = source->type->target};
    compiler->callbacks = 0;
    compiler->depth = 0;
    if (!builder_begin(builder, source->at) || function_reserve(builder) == CORDON_PLAN_NONE) {
        return NULL;
    }
    struct cordon_plan_function function = {
        .name = builder_name(builder, source->name),
        .symbol = builder_name(builder, source->notes.symbol ? source->notes.symbol : source->name),
        .flags = source->notes.stateless ? CORDON_PLAN_STATELESS : 0u,
        .outer = CORDON_PLAN_NONE,
        .comment = builder_name(builder, source->comment),
    };
    compiler->scope = &scope;
    bool compiled =
        compile_body(compiler, source->type, &source->notes, source->name, source->at, &function);
    compiler->scope = NULL;
    if (!compiled) {
        return NULL;
    }
    function_store(builder, 0, &function);
    return builder_finish(builder, pool, CORDON_PLAN_NONE, ret_bytes);
}

void *compile_named_type(struct compiler *compiler, const struct named_type *named,
                         struct pool *pool, uint32_t *ret_bytes)
{
    struct notes plain = {0};
    compiler->callbacks = 0;
    compiler->depth = 0;
    if (!builder_begin(&compiler->builder, named->at)) {
        return NULL;
    }
    uint32_t type =
        compile_type(compiler, named->type, &plain, PLACE_ELEMENT, named->name, named->at);
    return type == CORDON_PLAN_NONE ? NULL
                                    : builder_finish(&compiler->builder, pool, type, ret_bytes);
}
