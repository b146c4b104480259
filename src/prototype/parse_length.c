/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/parser.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_LINKS_MAX 64u /* operators in one chain */

static struct expression *expression_new(struct unit *unit, enum expression_op op, uint32_t at)
{
    struct expression *expression = unit_take(unit, sizeof *expression);
    if (expression) {
        expression->op = op;
        expression->at = at;
    }
    return expression;
}

static const struct expression *parse_number(struct unit *unit)
{
    const struct token *token = unit_peek(unit, 0);
    const char *text = unit_text(unit, token);
    struct expression *number = expression_new(unit, EXPRESSION_CONSTANT, token->at);
    if (!text || !number) {
        return NULL;
    }
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    end += strspn(end, "uUlL");
    if (*end != '\0') {
        (void)unit_refuse(unit, token->at, -EINVAL, "'%.40s' is not an integer", text);
        return NULL;
    }
    if (errno == ERANGE || value > INT64_MAX) {
        (void)unit_refuse(unit, token->at, -EINVAL, "%.40s does not fit 63 bits", text);
        return NULL;
    }
    number->value = (int64_t)value;
    (void)unit_accept(unit, TOKEN_NUMBER);
    return number;
}

static const struct expression *parse_character(struct unit *unit)
{
    const struct token *token = unit_peek(unit, 0);
    const char *text = unit->text + token->at + 1;
    struct expression *constant = expression_new(unit, EXPRESSION_CONSTANT, token->at);
    if (!constant) {
        return NULL;
    }
    const char *escapes = "n\nt\tr\r0\0a\ab\bf\fv\v\\\\''\"\"";
    if (token->length == 3 && text[0] != '\\') {
        /* As the language has it. NOLINTNEXTLINE(bugprone-signed-char-misuse) */
        constant->value = (signed char)text[0];
    } else if (token->length == 4 && text[0] == '\\') {
        for (int i = 0; i < 22; i += 2) {
            if (escapes[i] == text[1]) {
                /* ASCII. NOLINTNEXTLINE(bugprone-signed-char-misuse) */
                constant->value = escapes[i + 1];
                (void)unit_accept(unit, TOKEN_CHARACTER);
                return constant;
            }
        }
    }
    if (token->length != 3) {
        (void)unit_refuse(unit, token->at, -EINVAL, "this is not one character");
        return NULL;
    }
    (void)unit_accept(unit, TOKEN_CHARACTER);
    return constant;
}

static const struct expression *parse_sizeof(struct unit *unit, uint32_t at)
{
    struct expression *size = expression_new(unit, EXPRESSION_SIZEOF, at);
    struct specifiers specifiers = {0};
    struct declarator declarator = {0};
    if (!size || !unit_expect(unit, '(', "'(' and a type") ||
        !parse_specifiers(unit, &specifiers) ||
        !parse_declarator(unit, specifiers.type, &specifiers.notes, &declarator) ||
        !unit_expect(unit, ')', "')'")) {
        return NULL;
    }
    size->type = declarator.type;
    return size;
}

static bool parse_arguments(struct unit *unit, struct expression *call)
{
    struct expression *last = NULL;
    while (!unit_at(unit, ')')) {
        const struct expression *argument = parse_expression(unit);
        if (!argument || (!unit_at(unit, ')') && !unit_expect(unit, ',', "',' or ')'"))) {
            return false;
        }
        struct expression *copy = unit_take(unit, sizeof *copy);
        if (!copy) {
            return false;
        }
        *copy = *argument;
        if (last) {
            last->next = copy;
        } else {
            call->left = copy;
        }
        last = copy;
    }
    return unit_accept(unit, ')');
}

static const struct expression *parse_name(struct unit *unit)
{
    const struct token *token = unit_peek(unit, 0);
    if (unit_accept_word(unit, "sizeof")) {
        return parse_sizeof(unit, token->at);
    }
    bool call = unit_peek(unit, 1)->kind == '(';
    struct expression *name =
        expression_new(unit, call ? EXPRESSION_CALL : EXPRESSION_NAME, token->at);
    if (!name) {
        return NULL;
    }
    name->name = unit_text(unit, token);
    (void)unit_accept(unit, TOKEN_NAME);
    if (call && (!unit_accept(unit, '(') || !parse_arguments(unit, name))) {
        return NULL;
    }
    return name;
}

static const struct expression *parse_deref(struct unit *unit, uint32_t at)
{
    struct expression *deref = expression_new(unit, EXPRESSION_DEREF, at);
    bool nested = unit_accept(unit, '(');
    const struct token *token = unit_peek(unit, 0);
    if (!deref || !unit_expect(unit, TOKEN_NAME, "a parameter's name behind '*'")) {
        return NULL;
    }
    deref->name = unit_text(unit, token);
    return nested && !unit_expect(unit, ')', "')'") ? NULL : deref;
}

static const struct expression *parse_operand(struct unit *unit);

/* Behind '(', at a type: lengths are computed in 64 bits whatever wide type they are cast to. */
static const struct expression *parse_cast(struct unit *unit, uint32_t at)
{
    struct specifiers specifiers = {0};
    if (!parse_specifiers(unit, &specifiers) || !unit_expect(unit, ')', "')'") ||
        !unit_enter(unit)) {
        return NULL;
    }
    bool wide = specifiers.type->shape == SHAPE_SCALAR &&
                specifiers.type->scalar >= CORDON_PLAN_I32 &&
                specifiers.type->scalar <= CORDON_PLAN_U64;
    const struct expression *operand = parse_operand(unit);
    unit_leave(unit);
    if (operand && !wide) {
        (void)unit_refuse(unit, at, -ENOTSUP,
                          "a length can be cast to int and wider integers only");
        return NULL;
    }
    return operand;
}

static const struct expression *parse_operand(struct unit *unit)
{
    uint32_t at = unit_here(unit);
    if (unit_accept(unit, '-')) {
        struct expression *negate = expression_new(unit, EXPRESSION_NEGATE, at);
        if (!negate || !unit_enter(unit)) {
            return NULL;
        }
        negate->left = parse_operand(unit);
        unit_leave(unit);
        return negate->left ? negate : NULL;
    }
    if (unit_accept(unit, '*')) {
        return parse_deref(unit, at);
    }
    if (unit_accept(unit, '(')) {
        if (parse_at_type(unit)) {
            return parse_cast(unit, at);
        }
        const struct expression *inner = parse_expression(unit);
        return inner && unit_expect(unit, ')', "')'") ? inner : NULL;
    }
    switch (unit_peek(unit, 0)->kind) {
    case TOKEN_NUMBER:
        return parse_number(unit);
    case TOKEN_CHARACTER:
        return parse_character(unit);
    case TOKEN_NAME:
        return parse_name(unit);
    default:
        (void)unit_expect(unit, TOKEN_NAME, "a length: a number, a parameter, or *parameter");
        return NULL;
    }
}

/* How tightly a binary operator binds; 0: the token is none. */
static int precedence(int kind, enum expression_op *ret_op)
{
    switch (kind) {
    case '*':
        *ret_op = EXPRESSION_MUL;
        return 3;
    case '/':
        *ret_op = EXPRESSION_DIV;
        return 3;
    case '%':
        *ret_op = EXPRESSION_MOD;
        return 3;
    case '+':
        *ret_op = EXPRESSION_ADD;
        return 2;
    case '-':
        *ret_op = EXPRESSION_SUB;
        return 2;
    case TOKEN_SHIFT_LEFT:
        *ret_op = EXPRESSION_SHL;
        return 1;
    case TOKEN_SHIFT_RIGHT:
        *ret_op = EXPRESSION_SHR;
        return 1;
    default:
        return 0;
    }
}

/* Left-associative chain of operators that bind at least as tightly as @least. */
static const struct expression *parse_chain(struct unit *unit, int least)
{
    const struct expression *left = parse_operand(unit);
    uint32_t links = 0;
    while (left) {
        enum expression_op op = EXPRESSION_CONSTANT;
        const struct token *token = unit_peek(unit, 0);
        int binds = precedence(token->kind, &op);
        if (binds == 0 || binds < least) {
            return left;
        }
        if (++links > LENGTH_LINKS_MAX) {
            (void)unit_refuse(unit, token->at, -E2BIG, "this length has too many operations");
            return NULL;
        }
        (void)unit_accept(unit, token->kind);
        struct expression *both = expression_new(unit, op, token->at);
        const struct expression *right = parse_chain(unit, binds + 1);
        if (!both || !right) {
            return NULL;
        }
        both->left = left;
        both->right = right;
        left = both;
    }
    return NULL;
}

const struct expression *parse_expression(struct unit *unit)
{
    if (!unit_enter(unit)) {
        return NULL;
    }
    const struct expression *expression = parse_chain(unit, 1);
    unit_leave(unit);
    return expression;
}

const struct length *parse_length(struct unit *unit)
{
    struct length *length = unit_take(unit, sizeof *length);
    if (!length) {
        return NULL;
    }
    length->at = unit_here(unit);
    if (unit_at(unit, ']') || unit_at(unit, ')')) {
        return length;
    }
    bool alone = unit_peek(unit, 1)->kind == ']' || unit_peek(unit, 1)->kind == ')';
    if (alone && (unit_accept_word(unit, "null") || unit_accept_word(unit, "NULL"))) {
        length->null_ended = true;
        return length;
    }
    length->capacity = parse_expression(unit);
    if (length->capacity && unit_accept(unit, ':')) {
        alone = unit_peek(unit, 1)->kind == ']' || unit_peek(unit, 1)->kind == ')';
        length->all = alone && unit_accept_word(unit, "all");
        length->after = length->all ? NULL : parse_expression(unit);
    }
    return unit->error ? NULL : length;
}
