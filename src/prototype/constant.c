/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "prototype/layout.h"

static enum cordon_plan_op operation(enum expression_op op)
{
    switch (op) {
    case EXPRESSION_ADD:
        return CORDON_PLAN_OP_ADD;
    case EXPRESSION_SUB:
        return CORDON_PLAN_OP_SUB;
    case EXPRESSION_MUL:
        return CORDON_PLAN_OP_MUL;
    case EXPRESSION_DIV:
        return CORDON_PLAN_OP_DIV;
    case EXPRESSION_MOD:
        return CORDON_PLAN_OP_MOD;
    case EXPRESSION_SHL:
        return CORDON_PLAN_OP_SHL;
    case EXPRESSION_SHR:
        return CORDON_PLAN_OP_SHR;
    default:
        return CORDON_PLAN_OP_NEG;
    }
}

static int apply_shift(enum cordon_plan_op op, int64_t left, int64_t right, int64_t *ret_value)
{
    if (right < 0 || right > 62) {
        return -EOVERFLOW;
    }
    if (op == CORDON_PLAN_OP_SHR) {
        *ret_value = left >> right;
        return 0;
    }
    return __builtin_mul_overflow(left, (int64_t)1 << right, ret_value) ? -EOVERFLOW : 0;
}

int expression_apply(enum cordon_plan_op op, int64_t left, int64_t right, int64_t *ret_value)
{
    bool overflow = false;
    switch (op) {
    case CORDON_PLAN_OP_ADD:
        overflow = __builtin_add_overflow(left, right, ret_value);
        break;
    case CORDON_PLAN_OP_SUB:
        overflow = __builtin_sub_overflow(left, right, ret_value);
        break;
    case CORDON_PLAN_OP_MUL:
        overflow = __builtin_mul_overflow(left, right, ret_value);
        break;
    case CORDON_PLAN_OP_NEG:
        overflow = __builtin_sub_overflow((int64_t)0, left, ret_value);
        break;
    case CORDON_PLAN_OP_DIV:
    case CORDON_PLAN_OP_MOD:
        if (right == 0) {
            return -EDOM;
        }
        overflow = left == INT64_MIN && right == -1;
        if (!overflow) {
            *ret_value = op == CORDON_PLAN_OP_DIV ? left / right : left % right;
        }
        break;
    default:
        return apply_shift(op, left, right, ret_value);
    }
    return overflow ? -EOVERFLOW : 0;
}

bool expression_is_constant(const struct unit *unit, const struct expression *expression)
{
    /* Chains of operators lean to the left: walk those in a loop, so depth is the text's nesting. */
    for (; expression; expression = expression->left) {
        switch (expression->op) {
        case EXPRESSION_CONSTANT:
        case EXPRESSION_SIZEOF:
            return true;
        case EXPRESSION_NAME:
            return unit_lookup(unit, NAME_ENUMERATOR, expression->name) != NULL;
        case EXPRESSION_DEREF:
        case EXPRESSION_CALL:
            return false;
        default:
            if (expression->right && !expression_is_constant(unit, expression->right)) {
                return false;
            }
        }
    }
    return true;
}

static bool constant_operand(struct unit *unit, const struct expression *expression,
                             int64_t *ret_value)
{
    uint32_t size = 0;
    uint32_t align = 0;
    const struct enumerator *enumerator = NULL;
    switch (expression->op) {
    case EXPRESSION_CONSTANT:
        *ret_value = expression->value;
        return true;
    case EXPRESSION_SIZEOF:
        if (!layout_type(unit, expression->type, expression->at, &size, &align)) {
            return false;
        }
        *ret_value = size;
        return true;
    case EXPRESSION_NAME:
        enumerator = unit_lookup(unit, NAME_ENUMERATOR, expression->name);
        if (!enumerator) {
            return !unit_refuse(unit, expression->at, -EINVAL, "'%.64s' is not a constant%s",
                                expression->name,
                                unit_near(unit, NAME_ENUMERATOR, expression->name));
        }
        *ret_value = enumerator->value;
        return true;
    default:
        return !unit_refuse(unit, expression->at, -EINVAL, "a constant is needed here");
    }
}

bool expression_constant(struct unit *unit, const struct expression *expression, int64_t *ret_value)
{
    int64_t left = 0;
    int64_t right = 0;
    if (expression->op < EXPRESSION_NEGATE) {
        return constant_operand(unit, expression, ret_value);
    }
    if (!expression_constant(unit, expression->left, &left) ||
        (expression->right && !expression_constant(unit, expression->right, &right))) {
        return false;
    }
    int r = expression_apply(operation(expression->op), left, right, ret_value);
    if (r < 0) {
        (void)unit_refuse(unit, expression->at, -EINVAL,
                          r == -EDOM ? "division by zero" : "this overflows 64 bits");
    }
    return r == 0;
}
