/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/walk.h"

#include <stdio.h>

#define TERM_BYTES 96

/* A part of the expression and how tightly its last operation binds (larger: tighter). */
struct term {
    char text[TERM_BYTES];
    int binding;
};

enum { BINDS_SHIFT = 1, BINDS_SUM, BINDS_PRODUCT, BINDS_UNARY, BINDS_ATOM };

struct length_printer {
    const struct plan *plan;
    const struct cordon_plan_function *function;
    const struct cordon_plan_type *owner;
    const uint8_t *code;
    struct term terms[CORDON_PLAN_CODE_STACK_MAX];
    size_t depth;
};

static void push(struct length_printer *printer, int binding, const char *prefix, const char *text)
{
    if (printer->depth < CORDON_PLAN_CODE_STACK_MAX) {
        struct term *term = &printer->terms[printer->depth++];
        (void)snprintf(term->text, sizeof term->text, "%s%s", prefix, text);
        term->binding = binding;
    }
}

static uint16_t operand(struct length_printer *printer)
{
    uint16_t index;
    memcpy(&index, printer->code, sizeof index);
    printer->code += sizeof index;
    return index;
}

static const char *param_name(const struct length_printer *printer,
                              const struct cordon_plan_function *function, uint16_t index)
{
    if (!function || index >= function->param_count) {
        return "?";
    }
    return plan_name(printer->plan, plan_function_param(printer->plan, function, index)->name);
}

static const struct cordon_plan_function *outer_of(const struct length_printer *printer)
{
    return printer->function->outer == CORDON_PLAN_NONE
               ? NULL
               : plan_function(printer->plan, printer->function->outer);
}

static void push_operand(struct length_printer *printer, uint8_t op)
{
    char number[32];
    int64_t literal;
    switch (op) {
    case CORDON_PLAN_OP_PUSH:
        memcpy(&literal, printer->code, sizeof literal);
        printer->code += sizeof literal;
        (void)snprintf(number, sizeof number, "%lld", (long long)literal);
        push(printer, BINDS_ATOM, "", number);
        break;
    case CORDON_PLAN_OP_PARAM:
        push(printer, BINDS_ATOM, "", param_name(printer, printer->function, operand(printer)));
        break;
    case CORDON_PLAN_OP_DEREF:
        push(printer, BINDS_UNARY, "*", param_name(printer, printer->function, operand(printer)));
        break;
    case CORDON_PLAN_OP_OUTER:
        push(printer, BINDS_ATOM, "", param_name(printer, outer_of(printer), operand(printer)));
        break;
    case CORDON_PLAN_OP_OUTER_DEREF:
        push(printer, BINDS_UNARY, "*", param_name(printer, outer_of(printer), operand(printer)));
        break;
    case CORDON_PLAN_OP_FIELD: {
        uint16_t index = operand(printer);
        const char *name = "?";
        if (printer->owner && index < printer->owner->count) {
            name = plan_name(printer->plan,
                             plan_field(printer->plan, printer->owner->first + index)->name);
        }
        push(printer, BINDS_ATOM, "", name);
        break;
    }
    default:
        push(printer, BINDS_ATOM, "", "result");
        break;
    }
}

static void push_call(struct length_printer *printer)
{
    uint32_t name;
    memcpy(&name, printer->code, sizeof name);
    uint8_t count = printer->code[sizeof name];
    printer->code += sizeof name + 1;
    printer->depth = count <= printer->depth ? printer->depth - count : 0;
    push(printer, BINDS_ATOM, plan_name(printer->plan, name), count ? "(...)" : "()");
}

static const struct {
    const char *sign;
    int binding;
} operators[CORDON_PLAN_OP_COUNT] = {
    [CORDON_PLAN_OP_ADD] = {" + ", BINDS_SUM},     [CORDON_PLAN_OP_SUB] = {" - ", BINDS_SUM},
    [CORDON_PLAN_OP_MUL] = {" * ", BINDS_PRODUCT}, [CORDON_PLAN_OP_DIV] = {" / ", BINDS_PRODUCT},
    [CORDON_PLAN_OP_MOD] = {" % ", BINDS_PRODUCT}, [CORDON_PLAN_OP_SHL] = {" << ", BINDS_SHIFT},
    [CORDON_PLAN_OP_SHR] = {" >> ", BINDS_SHIFT},
};

static void join(struct length_printer *printer, uint8_t op)
{
    if (printer->depth < 2) {
        return;
    }
    struct term *right = &printer->terms[--printer->depth];
    struct term *left = &printer->terms[printer->depth - 1];
    int binding = operators[op].binding;
    bool left_open = left->binding < binding;
    bool right_open = right->binding <= binding;
    char joined[2 * TERM_BYTES + 8];
    (void)snprintf(joined, sizeof joined, "%s%s%s%s%s%s%s", left_open ? "(" : "", left->text,
                   left_open ? ")" : "", operators[op].sign, right_open ? "(" : "", right->text,
                   right_open ? ")" : "");
    memcpy(left->text, joined, TERM_BYTES - 1);
    left->text[TERM_BYTES - 1] = '\0';
    left->binding = binding;
}

static void negate(struct length_printer *printer)
{
    if (printer->depth > 0) {
        struct term *term = &printer->terms[--printer->depth];
        char text[TERM_BYTES - 1];
        (void)snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, term->text);
        push(printer, BINDS_UNARY, "-", text);
    }
}

const char *length_text(const struct plan *plan, const struct cordon_plan_function *function,
                        const struct cordon_plan_type *owner, uint32_t code, char *text,
                        size_t size)
{
    struct length_printer printer = {
        .plan = plan,
        .function = function,
        .owner = owner,
        .code = PLAN_TABLE(plan, uint8_t, code_at) + code,
    };
    for (uint8_t op = *printer.code++; op != CORDON_PLAN_OP_END; op = *printer.code++) {
        if (op == CORDON_PLAN_OP_CALL) {
            push_call(&printer);
        } else if (op == CORDON_PLAN_OP_NEG) {
            negate(&printer);
        } else if (op <= CORDON_PLAN_OP_RESULT) {
            push_operand(&printer, op);
        } else {
            join(&printer, op);
        }
    }
    (void)snprintf(text, size, "%s", printer.depth ? printer.terms[printer.depth - 1].text : "?");
    return text;
}
