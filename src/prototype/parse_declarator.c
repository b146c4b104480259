/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/parser.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cordon/plan.h"

/*
 * How it works. C declarators are written inside out: in `int (*name[4])(void)` what stands in the
 * parentheses is applied last. An inner declarator is parsed against a hole, and once what follows
 * the parentheses is known, the hole is filled with it. Nothing is read twice.
 */

static const struct ctype *parse_suffix(struct unit *unit, const struct ctype *base,
                                        struct notes *notes);

/* `*` and its qualifiers, repeated. */
static const struct ctype *parse_stars(struct unit *unit, const struct ctype *base,
                                       struct notes *notes)
{
    uint32_t stars = 0;
    while (base && unit_accept(unit, '*')) {
        struct ctype *pointer = ctype_new(unit, SHAPE_POINTER, base);
        if (!pointer || ++stars > CORDON_PLAN_DEPTH_MAX) {
            (void)unit_refuse(unit, unit_here(unit), -E2BIG, "too many pointers to pointers");
            return NULL;
        }
        base = pointer;
        while (!unit->error) {
            uint32_t cursor = unit->cursor;
            if (unit_accept_word(unit, "const")) {
                pointer->is_const = true;
            }
            if (!parse_decoration(unit, DECORATION_BEFORE_NAME, notes) || unit->cursor == cursor) {
                break;
            }
        }
    }
    return unit->error ? NULL : base;
}

static bool is_void_alone(const struct unit *unit)
{
    return unit_at_word(unit, "void") && unit_peek(unit, 1)->kind == ')';
}

static bool name_parameter(struct unit *unit, struct signature *signature,
                           struct parameter *parameter)
{
    char name[16];
    if (!parameter->name) {
        (void)snprintf(name, sizeof name, "arg%u", signature->count);
        parameter->name = pool_text(unit->pool, name, strlen(name));
        if (!parameter->name) {
            return !unit_refuse(unit, parameter->at, -ENOMEM, "not enough memory");
        }
    }
    for (const struct parameter *other = signature->parameters; other; other = other->next) {
        if (strcmp(other->name, parameter->name) == 0) {
            return !unit_refuse(unit, parameter->at, -EINVAL, "parameter '%.64s' is there already",
                                parameter->name);
        }
    }
    return true;
}

static bool parse_parameter(struct unit *unit, struct signature *signature, struct parameter ***end)
{
    struct specifiers specifiers = {0};
    struct declarator declarator = {0};
    uint32_t at = unit_here(unit);
    if (!parse_specifiers(unit, &specifiers) ||
        !parse_declarator(unit, specifiers.type, &specifiers.notes, &declarator)) {
        return false;
    }
    struct parameter *parameter = unit_take(unit, sizeof *parameter);
    if (!parameter) {
        return false;
    }
    *parameter = (struct parameter){.name = declarator.name,
                                    .at = declarator.name ? declarator.at : at,
                                    .type = declarator.type,
                                    .notes = specifiers.notes};
    if (!name_parameter(unit, signature, parameter)) {
        return false;
    }
    if (++signature->count >= CORDON_PLAN_PARAMS_MAX) {
        return !unit_refuse(unit, parameter->at, -E2BIG,
                            "more parameters than CORDON_PLAN_PARAMS_MAX (%u) allows",
                            CORDON_PLAN_PARAMS_MAX);
    }
    **end = parameter;
    *end = &parameter->next;
    return true;
}

/* Behind '(': parameters up to the ')'. */
static struct signature *parse_parameters(struct unit *unit)
{
    struct signature *signature = unit_take(unit, sizeof *signature);
    if (!signature) {
        return NULL;
    }
    struct parameter **end = &signature->parameters;
    if (is_void_alone(unit)) {
        (void)unit_accept_word(unit, "void");
    }
    if (unit_accept(unit, ')')) {
        return signature;
    }
    do {
        if (unit_accept(unit, TOKEN_ELLIPSIS)) {
            signature->variadic = true;
            break;
        }
        if (!parse_parameter(unit, signature, &end)) {
            return NULL;
        }
    } while (unit_accept(unit, ','));
    return unit_expect(unit, ')', "',' or ')'") ? signature : NULL;
}

static const struct ctype *parse_array(struct unit *unit, const struct ctype *base,
                                       struct notes *notes)
{
    struct ctype *array = ctype_new(unit, SHAPE_ARRAY, NULL);
    if (!array || !parse_decoration(unit, DECORATION_OF_TAG, notes)) {
        return NULL;
    }
    while (unit_accept_word(unit, "static") || unit_accept_word(unit, "const") ||
           unit_accept_word(unit, "restrict")) {
    }
    array->length = parse_length(unit);
    if (!array->length || !unit_expect(unit, ']', "']'")) {
        return NULL;
    }
    array->target = parse_suffix(unit, base, notes);
    return array->target ? array : NULL;
}

static const struct ctype *parse_function(struct unit *unit, const struct ctype *result)
{
    struct ctype *function = ctype_new(unit, SHAPE_FUNCTION, result);
    if (!function) {
        return NULL;
    }
    function->signature = parse_parameters(unit);
    if (!function->signature) {
        return NULL;
    }
    if (result->shape == SHAPE_ARRAY || result->shape == SHAPE_FUNCTION) {
        (void)unit_refuse(unit, function->at, -EINVAL, "a function cannot return %s",
                          result->shape == SHAPE_ARRAY ? "an array" : "a function");
        return NULL;
    }
    return function;
}

/* `[...]` and `(...)` behind a name. */
static const struct ctype *parse_suffix(struct unit *unit, const struct ctype *base,
                                        struct notes *notes)
{
    if (!unit_enter(unit)) {
        return NULL;
    }
    const struct ctype *type = base;
    if (unit_accept(unit, '[')) {
        type = parse_array(unit, base, notes);
    } else if (unit_accept(unit, '(')) {
        type = parse_function(unit, base);
    }
    unit_leave(unit);
    return type && parse_decoration(unit, DECORATION_BEHIND_NAME, notes) ? type : NULL;
}

/* At '(': does it open an inner declarator, or a list of parameters? */
static bool opens_inner(struct unit *unit)
{
    const struct token *next = unit_peek(unit, 1);
    if (next->kind == '*' || next->kind == '(' || next->kind == '^') {
        return true;
    }
    if (next->kind != TOKEN_NAME) {
        return false;
    }
    /* `int (name)(int)` is a declarator, `int (size_t)` a list of parameters. */
    int after = unit_peek(unit, 2)->kind;
    unit->cursor++;
    bool type = parse_at_type(unit);
    unit->cursor--;
    return !type && (after == ')' || after == '[' || after == '(');
}

static bool parse_inner(struct unit *unit, const struct ctype *base, struct notes *notes,
                        struct declarator *ret)
{
    struct ctype *hole = ctype_new(unit, SHAPE_VOID, NULL);
    if (!hole || !unit_enter(unit)) {
        return false;
    }
    (void)unit_accept(unit, '(');
    bool parsed = parse_decoration(unit, DECORATION_BEFORE_NAME, notes) &&
                  parse_declarator(unit, hole, notes, ret) && unit_expect(unit, ')', "')'");
    unit_leave(unit);
    const struct ctype *outer = parsed ? parse_suffix(unit, base, notes) : NULL;
    if (!outer) {
        return false;
    }
    *hole = *outer;
    return true;
}

bool parse_declarator(struct unit *unit, const struct ctype *base, struct notes *notes,
                      struct declarator *ret)
{
    if (!parse_decoration(unit, DECORATION_BEFORE_NAME, notes)) {
        return false;
    }
    const struct ctype *type = parse_stars(unit, base, notes);
    if (!type || !parse_decoration(unit, DECORATION_BEFORE_NAME, notes)) {
        return false;
    }
    if (unit_at(unit, '(') && opens_inner(unit)) {
        return parse_inner(unit, type, notes, ret);
    }
    const struct token *token = unit_peek(unit, 0);
    if (unit_accept(unit, TOKEN_NAME)) {
        /* ZEXPORT between '*' and the name: the name is the last word. */
        while (unit_at(unit, TOKEN_NAME) && unit_peek(unit, 1)->kind == '(' &&
               !unit_at_word(unit, "fails") && !unit_at_word(unit, "switch") &&
               unit->text[unit_here(unit)] != '_') {
            token = unit_peek(unit, 0);
            (void)unit_accept(unit, TOKEN_NAME);
        }
        ret->name = unit_text(unit, token);
        ret->at = token->at;
    }
    ret->type = parse_suffix(unit, type, notes);
    return ret->type != NULL;
}
