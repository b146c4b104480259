/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/plan_code.h"

#include <stddef.h>
#include <string.h>

/* Operand bytes, values taken from the stack and left on it. CALL takes as many as it says. */
static const struct {
    uint8_t operands;
    uint8_t takes;
    uint8_t leaves;
} ops[CORDON_PLAN_OP_COUNT] = {
    [CORDON_PLAN_OP_PUSH] = {8, 0, 1},   [CORDON_PLAN_OP_PARAM] = {2, 0, 1},
    [CORDON_PLAN_OP_DEREF] = {2, 0, 1},  [CORDON_PLAN_OP_FIELD] = {2, 0, 1},
    [CORDON_PLAN_OP_OUTER] = {2, 0, 1},  [CORDON_PLAN_OP_OUTER_DEREF] = {2, 0, 1},
    [CORDON_PLAN_OP_RESULT] = {0, 0, 1}, [CORDON_PLAN_OP_ADD] = {0, 2, 1},
    [CORDON_PLAN_OP_SUB] = {0, 2, 1},    [CORDON_PLAN_OP_MUL] = {0, 2, 1},
    [CORDON_PLAN_OP_DIV] = {0, 2, 1},    [CORDON_PLAN_OP_MOD] = {0, 2, 1},
    [CORDON_PLAN_OP_SHL] = {0, 2, 1},    [CORDON_PLAN_OP_SHR] = {0, 2, 1},
    [CORDON_PLAN_OP_NEG] = {0, 1, 1},    [CORDON_PLAN_OP_CALL] = {5, 0, 1},
};

void code_uses_join(struct code_uses *uses, const struct code_uses *more)
{
    uses->values |= more->values;
    uses->arguments |= more->arguments;
    uses->derefs |= more->derefs;
    uses->outer_values |= more->outer_values;
    uses->outer_derefs |= more->outer_derefs;
    uses->within |= more->within;
    uses->handles |= more->handles;
    uses->field = uses->field || more->field;
    uses->result = uses->result || more->result;
    uses->call = uses->call || more->call;
}

static uint16_t operand_u16(const unsigned char *operand)
{
    uint16_t value;
    memcpy(&value, operand, sizeof value);
    return value;
}

static bool note_param(uint64_t *bits, const unsigned char *operand)
{
    uint16_t index = operand_u16(operand);
    if (index >= CORDON_PLAN_PARAMS_MAX) {
        return false;
    }
    *bits |= 1ull << index;
    return true;
}

static bool note_op(enum cordon_plan_op op, const unsigned char *operand, struct code_uses *uses)
{
    switch (op) {
    case CORDON_PLAN_OP_PARAM:
        return note_param(&uses->values, operand);
    case CORDON_PLAN_OP_DEREF:
        return note_param(&uses->derefs, operand);
    case CORDON_PLAN_OP_OUTER:
        return note_param(&uses->outer_values, operand);
    case CORDON_PLAN_OP_OUTER_DEREF:
        return note_param(&uses->outer_derefs, operand);
    case CORDON_PLAN_OP_FIELD:
        uses->field = true;
        return true;
    case CORDON_PLAN_OP_RESULT:
        uses->result = true;
        return true;
    case CORDON_PLAN_OP_CALL:
        uses->call = true;
        return true;
    default:
        return true;
    }
}

static bool call_fits(const unsigned char *operand, uint32_t names_bytes, uint32_t *ret_takes)
{
    uint32_t name;
    memcpy(&name, operand, sizeof name);
    *ret_takes = operand[sizeof name];
    return name > 0 && name < names_bytes;
}

const char *code_check(const unsigned char *code, uint32_t code_bytes, uint32_t at,
                       uint32_t names_bytes, struct code_uses *ret_uses)
{
    struct code_uses uses = {0};
    uint32_t height = 0;
    uint32_t start = at;
    for (;;) {
        if (at >= code_bytes || at - start >= CORDON_PLAN_CODE_BYTES_MAX) {
            return "a length's code has no end";
        }
        enum cordon_plan_op op = (enum cordon_plan_op)code[at++];
        if (op == CORDON_PLAN_OP_END) {
            break;
        }
        if (op >= CORDON_PLAN_OP_COUNT || ops[op].operands > code_bytes - at) {
            return "a length's code has an unknown operation";
        }
        uint32_t takes = ops[op].takes;
        if (op == CORDON_PLAN_OP_CALL && !call_fits(code + at, names_bytes, &takes)) {
            return "a length's code calls what has no name";
        }
        if (takes > height || height - takes + ops[op].leaves > CORDON_PLAN_CODE_STACK_MAX) {
            return "a length's code does not keep to its stack";
        }
        height = height - takes + ops[op].leaves;
        if (!note_op(op, code + at, &uses)) {
            return "a length's code names no parameter";
        }
        at += ops[op].operands;
    }
    if (height != 1) {
        return "a length's code does not leave one value";
    }
    if (uses.call) {
        uses.arguments = uses.values;
        uses.values = 0;
    }
    *ret_uses = uses;
    return NULL;
}

bool code_next_field(const unsigned char *code, uint32_t *at, uint16_t *ret_field)
{
    while (code[*at] != CORDON_PLAN_OP_END) {
        uint8_t op = code[*at];
        *ret_field = op == CORDON_PLAN_OP_FIELD ? operand_u16(code + *at + 1) : 0;
        *at += 1u + ops[op].operands;
        if (op == CORDON_PLAN_OP_FIELD) {
            return true;
        }
    }
    return false;
}

uint32_t code_plain_param(const unsigned char *code, uint32_t at)
{
    if (code[at] != CORDON_PLAN_OP_PARAM || code[at + 3] != CORDON_PLAN_OP_END) {
        return CORDON_PLAN_NONE;
    }
    return operand_u16(code + at + 1);
}
