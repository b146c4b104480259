/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "prototype/compile.h"
#include "prototype/layout.h"

struct coder {
    struct compiler *compiler;
    enum phase phase;
    uint64_t uses; /* parameters of the scope at hand */
    unsigned char bytes[CORDON_PLAN_CODE_BYTES_MAX];
    uint32_t used;
    uint32_t stack;
};

static bool emit_expression(struct coder *coder, const struct expression *expression);

static bool emit(struct coder *coder, uint32_t at, const void *bytes, uint32_t length)
{
    if (coder->used + length > sizeof coder->bytes) {
        return !unit_refuse(coder->compiler->unit, at, -E2BIG,
                            "this length takes more than CORDON_PLAN_CODE_BYTES_MAX (%u)",
                            CORDON_PLAN_CODE_BYTES_MAX);
    }
    if (length > 0) {
        memcpy(coder->bytes + coder->used, bytes, length);
    }
    coder->used += length;
    return true;
}

static bool emit_op(struct coder *coder, uint32_t at, enum cordon_plan_op op)
{
    uint8_t byte = (uint8_t)op;
    return emit(coder, at, &byte, 1);
}

/* An operation that leaves one more value. */
static bool emit_value(struct coder *coder, uint32_t at, enum cordon_plan_op op,
                       const void *operand, uint32_t length)
{
    if (++coder->stack > CORDON_PLAN_CODE_STACK_MAX) {
        return !unit_refuse(coder->compiler->unit, at, -E2BIG,
                            "this length nests deeper than CORDON_PLAN_CODE_STACK_MAX (%u)",
                            CORDON_PLAN_CODE_STACK_MAX);
    }
    return emit_op(coder, at, op) && emit(coder, at, operand, length);
}

static bool emit_push(struct coder *coder, uint32_t at, int64_t value)
{
    return emit_value(coder, at, CORDON_PLAN_OP_PUSH, &value, sizeof value);
}

static const struct parameter *find_parameter(const struct signature *signature, const char *name,
                                              uint32_t *ret_index)
{
    uint32_t index = 0;
    const struct parameter *parameter = signature ? signature->parameters : NULL;
    for (; parameter; parameter = parameter->next, index++) {
        if (strcmp(parameter->name, name) == 0) {
            *ret_index = index;
            return parameter;
        }
    }
    return NULL;
}

static bool is_integer(const struct ctype *type)
{
    return type->shape == SHAPE_SCALAR && type->scalar >= CORDON_PLAN_BOOL &&
           type->scalar <= CORDON_PLAN_U64;
}

/* "unknown parameter 'lenn' in a length; did you mean 'len'?" */
static bool refuse_name(struct coder *coder, const struct expression *expression)
{
    struct unit *unit = coder->compiler->unit;
    const struct scope *scope = coder->compiler->scope;
    struct near near = near_start(expression->name, 2);
    for (const struct scope *s = scope; s; s = s->record ? NULL : s->outer) {
        const struct parameter *parameter = s->signature ? s->signature->parameters : NULL;
        for (; parameter; parameter = parameter->next) {
            near_consider(&near, parameter->name);
        }
    }
    const struct field *field = scope->record ? scope->record->fields : NULL;
    for (; field; field = field->next) {
        near_consider(&near, field->name);
    }
    const char *hint =
        near.best ? near_hint(unit, &near) : unit_near(unit, NAME_ENUMERATOR, expression->name);
    return !unit_refuse(unit, expression->at, -EINVAL, "unknown %s '%.64s' in a length%s",
                        scope->record ? "member" : "parameter", expression->name, hint);
}

static bool emit_field(struct coder *coder, const struct expression *expression, bool *ret_found)
{
    const struct field *field = coder->compiler->scope->record->fields;
    uint16_t index = 0;
    for (; field && strcmp(field->name, expression->name) != 0; field = field->next) {
        index++;
    }
    *ret_found = field != NULL;
    if (!field) {
        return true;
    }
    if (!is_integer(field->type)) {
        return !unit_refuse(coder->compiler->unit, expression->at, -EINVAL,
                            "member '%.64s' is not an integer", expression->name);
    }
    return emit_value(coder, expression->at, CORDON_PLAN_OP_FIELD, &index, sizeof index);
}

static bool emit_parameter(struct coder *coder, const struct expression *expression,
                           struct scope *scope, bool outer, bool *ret_found)
{
    uint32_t index = 0;
    const struct parameter *parameter = find_parameter(scope->signature, expression->name, &index);
    uint16_t operand = (uint16_t)index;
    *ret_found = parameter != NULL;
    if (!parameter) {
        return true;
    }
    if (!is_integer(parameter->type)) {
        return !unit_refuse(coder->compiler->unit, expression->at, -EINVAL,
                            parameter->type->shape == SHAPE_POINTER
                                ? "parameter '%.64s' is a pointer; did you mean '*%.64s'?"
                                : "parameter '%.64s' is not an integer",
                            expression->name, expression->name);
    }
    if (outer) {
        scope->other_uses |= 1ull << index;
    } else {
        coder->uses |= 1ull << index;
    }
    return emit_value(coder, expression->at, outer ? CORDON_PLAN_OP_OUTER : CORDON_PLAN_OP_PARAM,
                      &operand, sizeof operand);
}

static bool emit_name(struct coder *coder, const struct expression *expression)
{
    struct scope *scope = coder->compiler->scope;
    bool found = false;
    if (scope->record) {
        if (!emit_field(coder, expression, &found) || found) {
            return !coder->compiler->unit->error;
        }
    } else if (!emit_parameter(coder, expression, scope, false, &found) || found) {
        return !coder->compiler->unit->error;
    } else if (scope->outer &&
               (!emit_parameter(coder, expression, scope->outer, true, &found) || found)) {
        return !coder->compiler->unit->error;
    }
    const struct enumerator *enumerator =
        unit_lookup(coder->compiler->unit, NAME_ENUMERATOR, expression->name);
    if (enumerator) {
        return emit_push(coder, expression->at, enumerator->value);
    }
    if (strcmp(expression->name, "result") != 0 || scope->record) {
        return refuse_name(coder, expression);
    }
    if (coder->phase == PHASE_BEFORE || !scope->result || !is_integer(scope->result)) {
        return !unit_refuse(
            coder->compiler->unit, expression->at, -EINVAL,
            coder->phase == PHASE_BEFORE
                ? "`result` is known only after the call: say how much room there "
                  "is before it, as in [size : result]"
                : "`result` is a length only where the function returns an integer");
    }
    return emit_value(coder, expression->at, CORDON_PLAN_OP_RESULT, NULL, 0);
}

static bool comes_back_only(const struct parameter *parameter)
{
    return parameter->notes.out && !parameter->notes.in;
}

/* One integer, that is: plain `char *` is a text, and so is what is called one. */
static bool points_to_integer(const struct parameter *parameter)
{
    const struct notes *notes = &parameter->notes;
    return parameter->type->shape == SHAPE_POINTER && is_integer(parameter->type->target) &&
           !parameter->type->target->is_text && !notes->string && !notes->count && !notes->within;
}

static bool emit_deref(struct coder *coder, const struct expression *expression)
{
    struct unit *unit = coder->compiler->unit;
    struct scope *scope = coder->compiler->scope;
    uint32_t index = 0;
    const struct parameter *parameter = find_parameter(scope->signature, expression->name, &index);
    enum cordon_plan_op op = CORDON_PLAN_OP_DEREF;
    if (!parameter && scope->outer && !scope->record) {
        parameter = find_parameter(scope->outer->signature, expression->name, &index);
        op = CORDON_PLAN_OP_OUTER_DEREF;
    }
    if (!parameter) {
        return refuse_name(coder, expression);
    }
    if (!points_to_integer(parameter)) {
        return !unit_refuse(unit, expression->at, -EINVAL,
                            "parameter '%.64s' does not point to an integer", expression->name);
    }
    if ((coder->phase == PHASE_BEFORE || op == CORDON_PLAN_OP_OUTER_DEREF) &&
        comes_back_only(parameter)) {
        return !unit_refuse(unit, expression->at, -EINVAL,
                            "'*%.64s' is known only after the call: say how much room there is "
                            "before it, as in [size : *%.64s], or declare it inout",
                            expression->name, expression->name);
    }
    if (op == CORDON_PLAN_OP_OUTER_DEREF && (parameter->notes.nullable || parameter->notes.kept)) {
        return !unit_refuse(
            unit, expression->at, -ENOTSUP,
            "'*%.64s' of the call that takes the callback is not known to it, since "
            "that pointer may be NULL or is kept: pass it as a plain pointer",
            expression->name);
    }
    uint16_t operand = (uint16_t)index;
    return emit_value(coder, expression->at, op, &operand, sizeof operand);
}

/* Is this parameter a handle or a token: a pointer that travels as a word? */
static bool is_word_pointer(const struct parameter *parameter)
{
    const struct ctype *target = parameter->type->target;
    if (parameter->type->shape != SHAPE_POINTER || parameter->notes.count) {
        return false;
    }
    return target->shape == SHAPE_VOID ||
           (target->shape == SHAPE_RECORD &&
            (!target->record->defined || parameter->notes.resident || parameter->notes.release));
}

/* An argument of a function that is called for a length: handles are arguments too. */
static bool emit_argument(struct coder *coder, const struct expression *argument)
{
    uint32_t index = 0;
    const struct parameter *parameter =
        argument->op == EXPRESSION_NAME
            ? find_parameter(coder->compiler->scope->signature, argument->name, &index)
            : NULL;
    if (parameter && is_word_pointer(parameter)) {
        uint16_t operand = (uint16_t)index;
        coder->uses |= 1ull << index;
        return emit_value(coder, argument->at, CORDON_PLAN_OP_PARAM, &operand, sizeof operand);
    }
    return emit_expression(coder, argument);
}

static bool emit_call(struct coder *coder, const struct expression *expression)
{
    struct unit *unit = coder->compiler->unit;
    uint8_t count = 0;
    if (coder->phase == PHASE_BEFORE || coder->compiler->scope->record) {
        return !unit_refuse(
            unit, expression->at, -ENOTSUP,
            "only the length of what the library gives back can be asked of another "
            "function");
    }
    for (const struct expression *a = expression->left; a; a = a->next) {
        if (++count > 6 || !emit_argument(coder, a)) {
            return !unit_refuse(unit, a->at, -ENOTSUP,
                                "a function that gives a length takes at most 6 arguments");
        }
    }
    uint32_t name = builder_name(&coder->compiler->builder, expression->name);
    coder->stack -= count;
    return name != CORDON_PLAN_NONE &&
           emit_value(coder, expression->at, CORDON_PLAN_OP_CALL, &name, sizeof name) &&
           emit(coder, expression->at, &count, 1);
}

static bool emit_binary(struct coder *coder, const struct expression *expression)
{
    static const enum cordon_plan_op ops[] = {
        [EXPRESSION_ADD] = CORDON_PLAN_OP_ADD, [EXPRESSION_SUB] = CORDON_PLAN_OP_SUB,
        [EXPRESSION_MUL] = CORDON_PLAN_OP_MUL, [EXPRESSION_DIV] = CORDON_PLAN_OP_DIV,
        [EXPRESSION_MOD] = CORDON_PLAN_OP_MOD, [EXPRESSION_SHL] = CORDON_PLAN_OP_SHL,
        [EXPRESSION_SHR] = CORDON_PLAN_OP_SHR,
    };
    if (!emit_expression(coder, expression->left) || !emit_expression(coder, expression->right)) {
        return false;
    }
    coder->stack--;
    return emit_op(coder, expression->at, ops[expression->op]);
}

static bool emit_expression(struct coder *coder, const struct expression *expression)
{
    uint32_t size = 0;
    uint32_t align = 0;
    switch (expression->op) {
    case EXPRESSION_CONSTANT:
        return emit_push(coder, expression->at, expression->value);
    case EXPRESSION_SIZEOF:
        return layout_type(coder->compiler->unit, expression->type, expression->at, &size,
                           &align) &&
               emit_push(coder, expression->at, size);
    case EXPRESSION_NAME:
        return emit_name(coder, expression);
    case EXPRESSION_DEREF:
        return emit_deref(coder, expression);
    case EXPRESSION_CALL:
        return emit_call(coder, expression);
    case EXPRESSION_NEGATE:
        return emit_expression(coder, expression->left) &&
               emit_op(coder, expression->at, CORDON_PLAN_OP_NEG);
    default:
        return emit_binary(coder, expression);
    }
}

/* Code of @expression in the table; @ret_uses gains the parameters in it. */
static uint32_t compile_code(struct compiler *compiler, const struct expression *expression,
                             enum phase phase, uint64_t *ret_uses)
{
    struct coder coder = {.compiler = compiler, .phase = phase};
    if (!emit_expression(&coder, expression) ||
        !emit_op(&coder, expression->at, CORDON_PLAN_OP_END)) {
        return CORDON_PLAN_NONE;
    }
    *ret_uses |= coder.uses;
    return builder_append(&compiler->builder, &compiler->builder.code, coder.bytes, coder.used);
}

static uint32_t code_all(struct compiler *compiler, uint32_t at)
{
    struct coder coder = {.compiler = compiler};
    if (!emit_push(&coder, at, INT64_MAX) || !emit_op(&coder, at, CORDON_PLAN_OP_END)) {
        return CORDON_PLAN_NONE;
    }
    return builder_append(&compiler->builder, &compiler->builder.code, coder.bytes, coder.used);
}

/* Remember what the lengths of this type use: it decides which parameters are filled in. */
static void note_uses(struct compiler *compiler, uint64_t uses, bool exact)
{
    struct scope *scope = compiler->scope;
    if (!exact) {
        scope->other_uses |= uses;
        return;
    }
    for (uint32_t i = 0; i < CORDON_PLAN_PARAMS_MAX; i++) {
        if ((uses >> i & 1) && !(scope->exact_uses >> i & 1)) {
            scope->filled_by[i] = scope->param;
        }
    }
    scope->exact_uses |= uses;
}

bool compile_length(struct compiler *compiler, const struct length *length,
                    enum cordon_plan_direction direction, bool given, struct cordon_plan_type *type)
{
    uint64_t uses = 0;
    uint64_t after_uses = 0;
    if (!length->capacity) {
        return !unit_refuse(
            compiler->unit, length->at, -EINVAL,
            "how long is this array? Write a length between the brackets: a number, "
            "a parameter, *parameter, or null for pointers that end with NULL");
    }
    if (given && (length->after || length->all)) {
        return !unit_refuse(compiler->unit, length->at, -EINVAL,
                            "memory that the library gives has one length, known after the call");
    }
    if (direction == CORDON_PLAN_IN && (length->after || length->all)) {
        return !unit_refuse(compiler->unit, length->at, -EINVAL,
                            "an array that only goes in has one length");
    }
    type->code =
        compile_code(compiler, length->capacity, given ? PHASE_AFTER : PHASE_BEFORE, &uses);
    if (length->after) {
        type->length_code = compile_code(compiler, length->after, PHASE_AFTER, &after_uses);
    } else if (length->all) {
        type->length_code = code_all(compiler, length->at);
    }
    if (compiler->unit->error) {
        return false;
    }
    bool exact = length->capacity->op == EXPRESSION_NAME && !given &&
                 direction != CORDON_PLAN_OUT && !length->after && !compiler->scope->record;
    note_uses(compiler, uses, exact);
    note_uses(compiler, after_uses, false);
    return true;
}

bool compile_parameter_index(struct compiler *compiler, const char *name, uint32_t at,
                             const char *what, uint32_t *ret_index)
{
    const struct scope *scope = compiler->scope;
    if (scope->signature && find_parameter(scope->signature, name, ret_index)) {
        return true;
    }
    struct near near = near_start(name, 2);
    const struct parameter *parameter = scope->signature ? scope->signature->parameters : NULL;
    for (; parameter; parameter = parameter->next) {
        near_consider(&near, parameter->name);
    }
    return !unit_refuse(compiler->unit, at, -EINVAL, "unknown parameter '%.64s' in %s%s", name,
                        what, near_hint(compiler->unit, &near));
}
