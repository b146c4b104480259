/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "prototype/layout.h"
#include "prototype/plan.h"

/* plan_validate() has proven that the code ends, that the stack suffices and that indices fit. */
struct machine {
    const struct plan *plan;
    const struct plan_scope *scope;
    const unsigned char *next;
    int64_t stack[CORDON_PLAN_CODE_STACK_MAX];
    uint32_t height;
};

static uint16_t take_u16(struct machine *machine)
{
    uint16_t value;
    memcpy(&value, machine->next, sizeof value);
    machine->next += sizeof value;
    return value;
}

static int look_up(struct machine *machine,
                   int (*source)(void *context, uint32_t index, int64_t *ret_value))
{
    uint32_t index = take_u16(machine);
    return source ? source(machine->scope->context, index, &machine->stack[machine->height++])
                  : -ENODATA;
}

static int run_call(struct machine *machine)
{
    uint32_t name;
    memcpy(&name, machine->next, sizeof name);
    uint32_t count = machine->next[sizeof name];
    machine->next += sizeof name + 1;
    machine->height -= count;
    if (!machine->scope->call) {
        return -ENODATA;
    }
    int64_t *args = machine->stack + machine->height;
    int64_t value = 0;
    int r = machine->scope->call(machine->scope->context, plan_name(machine->plan, name), args,
                                 count, &value);
    machine->stack[machine->height++] = value;
    return r;
}

static int run_arithmetic(struct machine *machine, enum cordon_plan_op op)
{
    int64_t right = op == CORDON_PLAN_OP_NEG ? 0 : machine->stack[--machine->height];
    int64_t *left = &machine->stack[machine->height - 1];
    return expression_apply(op, *left, right, left);
}

static int run_op(struct machine *machine, enum cordon_plan_op op)
{
    const struct plan_scope *scope = machine->scope;
    switch (op) {
    case CORDON_PLAN_OP_PUSH:
        memcpy(&machine->stack[machine->height++], machine->next, sizeof(int64_t));
        machine->next += sizeof(int64_t);
        return 0;
    case CORDON_PLAN_OP_PARAM:
        return look_up(machine, scope->param);
    case CORDON_PLAN_OP_DEREF:
        return look_up(machine, scope->deref);
    case CORDON_PLAN_OP_FIELD:
        return look_up(machine, scope->field);
    case CORDON_PLAN_OP_OUTER:
        return look_up(machine, scope->outer);
    case CORDON_PLAN_OP_OUTER_DEREF:
        return look_up(machine, scope->outer_deref);
    case CORDON_PLAN_OP_RESULT:
        return scope->result ? scope->result(scope->context, &machine->stack[machine->height++])
                             : -ENODATA;
    case CORDON_PLAN_OP_CALL:
        return run_call(machine);
    default:
        return run_arithmetic(machine, op);
    }
}

int plan_evaluate(const struct plan *plan, uint32_t code, const struct plan_scope *scope,
                  uint64_t *ret_value)
{
    struct machine machine = {
        .plan = plan,
        .scope = scope,
        .next = PLAN_TABLE(plan, unsigned char, code_at) + code,
    };
    for (;;) {
        enum cordon_plan_op op = (enum cordon_plan_op) * machine.next++;
        if (op == CORDON_PLAN_OP_END) {
            break;
        }
        int r = run_op(&machine, op);
        if (r < 0) {
            return r;
        }
    }
    if (machine.stack[0] < 0) {
        return -ERANGE;
    }
    *ret_value = (uint64_t)machine.stack[0];
    return 0;
}
