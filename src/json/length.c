/* SPDX-License-Identifier: Apache-2.0 */
#include "json/length.h"

#include <errno.h>
#include <string.h>

struct machine {
    const struct length_scope *scope;
    const uint8_t *code;
    int64_t stack[CORDON_PLAN_CODE_STACK_MAX];
    uint32_t depth;
};

uint64_t length_load(uint8_t kind, const void *memory)
{
    static const struct {
        uint8_t size, is_signed;
    } shapes[CORDON_PLAN_KIND_COUNT] = {
        [CORDON_PLAN_BOOL] = {1, 0}, [CORDON_PLAN_I8] = {1, 1},  [CORDON_PLAN_U8] = {1, 0},
        [CORDON_PLAN_I16] = {2, 1},  [CORDON_PLAN_U16] = {2, 0}, [CORDON_PLAN_I32] = {4, 1},
        [CORDON_PLAN_U32] = {4, 0},  [CORDON_PLAN_I64] = {8, 1}, [CORDON_PLAN_U64] = {8, 0},
    };
    uint64_t word = 0;
    memcpy(&word, memory, shapes[kind].size);
    if (shapes[kind].is_signed) {
        unsigned spare = 64u - 8u * shapes[kind].size;
        return (uint64_t)((int64_t)(word << spare) >> spare);
    }
    return word;
}

static int integer_at(const struct cordon_plan_type *type, const void *memory, int64_t *ret_value)
{
    if (!view_is_integer(type)) {
        return -ENODATA;
    }
    uint64_t word = length_load(type->kind, memory);
    if (type->kind == CORDON_PLAN_U64 && word > INT64_MAX) {
        return -EOVERFLOW;
    }
    *ret_value = (int64_t)word;
    return 0;
}

static int integer_of(const struct cordon_value *value, int64_t *ret_value)
{
    if (value->kind == CORDON_VALUE_UINT && value->u > INT64_MAX) {
        return -EOVERFLOW;
    }
    if (value->kind != CORDON_VALUE_INT && value->kind != CORDON_VALUE_UINT) {
        return -ENODATA;
    }
    *ret_value = value->i;
    return 0;
}

/* The argument for parameter @index of the function; NULL: not passed, or not known yet. */
static const struct cordon_value *argument(const struct length_scope *scope, uint32_t index,
                                           const struct cordon_plan_param **ret_param)
{
    if (index >= view_function(scope->plan)->param_count) {
        return NULL;
    }
    *ret_param = view_param(scope->plan, index);
    return (*ret_param)->position < scope->arg_count ? &scope->args[(*ret_param)->position] : NULL;
}

static int read_param(const struct length_scope *scope, uint32_t index, int64_t *ret_value)
{
    const struct cordon_plan_param *param;
    const struct cordon_value *value = argument(scope, index, &param);
    return value ? integer_of(value, ret_value) : -ENODATA;
}

static int read_deref(const struct length_scope *scope, uint32_t index, int64_t *ret_value)
{
    const struct cordon_plan_param *param;
    const struct cordon_value *value = argument(scope, index, &param);
    if (!value || value->kind != CORDON_VALUE_MEMORY || value->count == 0) {
        return -ENODATA;
    }
    const struct cordon_plan_type *type = view_type(scope->plan, param->type);
    return integer_at(view_target(scope->plan, type), value->memory, ret_value);
}

static int read_field(const struct length_scope *scope, uint32_t index, int64_t *ret_value)
{
    if (!scope->owner || index >= scope->owner->count) {
        return -ENODATA;
    }
    const struct cordon_plan_field *field = view_field(scope->plan, scope->owner, index);
    return integer_at(view_type(scope->plan, field->type),
                      (const uint8_t *)scope->image + field->offset, ret_value);
}

static int push(struct machine *machine, int64_t value)
{
    if (machine->depth == CORDON_PLAN_CODE_STACK_MAX) {
        return -EBADMSG;
    }
    machine->stack[machine->depth++] = value;
    return 0;
}

static int shift_left(int64_t left, int64_t right, int64_t *ret_value)
{
    if (right < 0 || right > 62) {
        return -EOVERFLOW;
    }
    return __builtin_mul_overflow(left, (int64_t)1 << right, ret_value) ? -EOVERFLOW : 0;
}

static int divide(int op, int64_t left, int64_t right, int64_t *ret_value)
{
    if (right == 0) {
        return -EDOM;
    }
    if (left == INT64_MIN && right == -1) {
        return -EOVERFLOW;
    }
    *ret_value = op == CORDON_PLAN_OP_DIV ? left / right : left % right;
    return 0;
}

static int combine(int op, int64_t left, int64_t right, int64_t *ret_value)
{
    switch (op) {
    case CORDON_PLAN_OP_ADD:
        return __builtin_add_overflow(left, right, ret_value) ? -EOVERFLOW : 0;
    case CORDON_PLAN_OP_SUB:
        return __builtin_sub_overflow(left, right, ret_value) ? -EOVERFLOW : 0;
    case CORDON_PLAN_OP_MUL:
        return __builtin_mul_overflow(left, right, ret_value) ? -EOVERFLOW : 0;
    case CORDON_PLAN_OP_DIV:
    case CORDON_PLAN_OP_MOD:
        return divide(op, left, right, ret_value);
    case CORDON_PLAN_OP_SHL:
        return shift_left(left, right, ret_value);
    case CORDON_PLAN_OP_SHR:
        if (right < 0 || right > 63) {
            return -EOVERFLOW;
        }
        *ret_value = left >> right;
        return 0;
    default:
        return -ENODATA; /* a function of the library, or an outer call */
    }
}

/* The operations that read a value; their operand is an index of two bytes. */
static int read_operand(struct machine *machine, int op, int64_t *ret_value)
{
    const struct length_scope *scope = machine->scope;
    uint16_t index;
    memcpy(&index, machine->code, sizeof index);
    machine->code += sizeof index;
    switch (op) {
    case CORDON_PLAN_OP_PARAM:
        return read_param(scope, index, ret_value);
    case CORDON_PLAN_OP_DEREF:
        return read_deref(scope, index, ret_value);
    case CORDON_PLAN_OP_FIELD:
        return read_field(scope, index, ret_value);
    default:
        return -ENODATA;
    }
}

static int step(struct machine *machine, int op)
{
    int64_t value = 0;
    int r;
    switch (op) {
    case CORDON_PLAN_OP_PUSH:
        memcpy(&value, machine->code, sizeof value);
        machine->code += sizeof value;
        return push(machine, value);
    case CORDON_PLAN_OP_PARAM:
    case CORDON_PLAN_OP_DEREF:
    case CORDON_PLAN_OP_FIELD:
        r = read_operand(machine, op, &value);
        return r < 0 ? r : push(machine, value);
    case CORDON_PLAN_OP_RESULT:
        r = machine->scope->result ? integer_of(machine->scope->result, &value) : -ENODATA;
        return r < 0 ? r : push(machine, value);
    case CORDON_PLAN_OP_NEG:
        if (machine->depth < 1) {
            return -EBADMSG;
        }
        return __builtin_sub_overflow((int64_t)0, machine->stack[machine->depth - 1],
                                      &machine->stack[machine->depth - 1])
                   ? -EOVERFLOW
                   : 0;
    default:
        if (op < CORDON_PLAN_OP_ADD || op > CORDON_PLAN_OP_SHR) {
            return -ENODATA;
        }
        if (machine->depth < 2) {
            return -EBADMSG;
        }
        machine->depth--;
        return combine(op, machine->stack[machine->depth - 1], machine->stack[machine->depth],
                       &machine->stack[machine->depth - 1]);
    }
}

int length_evaluate(const struct length_scope *scope, uint32_t code, uint64_t *ret_value)
{
    struct machine machine = {.scope = scope, .code = view_code(scope->plan, code)};
    for (int op = *machine.code++; op != CORDON_PLAN_OP_END; op = *machine.code++) {
        int r = step(&machine, op);
        if (r < 0) {
            return r;
        }
    }
    if (machine.depth != 1) {
        return -EBADMSG;
    }
    if (machine.stack[0] < 0) {
        return -ERANGE;
    }
    *ret_value = (uint64_t)machine.stack[0];
    return 0;
}

const char *length_error_text(int error)
{
    switch (error) {
    case -ENODATA:
        return "depends on something that is not given";
    case -EOVERFLOW:
        return "overflows";
    case -ERANGE:
        return "comes out negative";
    case -EDOM:
        return "divides by zero";
    default:
        return "cannot be computed";
    }
}
