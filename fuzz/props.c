/* SPDX-License-Identifier: Apache-2.0 */
#include "props.h"

#include "prototype/prototype.h"

#include <stdlib.h>
#include <string.h>

static const char *const prototypes[PROPS_PLANS] = {
    "int compress(out uint8_t dest[*n], inout unsigned long *n, const uint8_t src[m], size_t m)",
    "nullable const char *name(const char *s, out char t[cap], size_t cap, inout char *u)",
    "struct iovec { inout count(length) uint8_t *base; size_t length; };"
    "ssize_t readv(inout struct iovec iov[count], int count)",
    "struct box { const char *label; int weight; };"
    "struct box weigh(inout struct box *b, const char *words[null])",
    "int give(out owned(free) char **m, inout owned(free) char **line, out within(s) char **end,"
    " const char *s)",
    "int print(const char *format, ...)",
    "void sort(void base[count * size], size_t count, size_t size,"
    " int (*compare)(inout uint8_t a[size], const char *b, bool c))",
    "struct db *db_open(out struct db **x, kept const uint8_t d[n], int n, float f)",
    "struct part { int n; count(n) const uint8_t *data; const char *text; };"
    "struct whole { int n; count(n) const struct part *parts; };"
    "count(1) const struct whole *whole(int unused)",
    "struct value { int kind; unsigned n; union { case 0: ; case 1: long i; case 2: const char *s;"
    " case 3: count(n) uint8_t *b; case 4: struct db *db; default: char text[12]; } u[2]"
    " switch(kind); };"
    "count(2) const struct value *values(inout struct value *v, const struct value w[count],"
    " int count)",
};

/* Of plans that came later: the numbers of the others stay as the inputs know them. */
static const char *const later[] = {
    "void f(out uint8_t a[*n], nullable inout size_t *n, out char t[*n], inout bool b[4])",
    "struct s { bool b; int n; bool c[3]; }; struct h { const char *names[null]; struct s s; };"
    "count(2) const struct h *g(inout struct s s[*n], nullable inout size_t *n,"
    " const struct s in[*n])",
};
#define LATER       (sizeof later / sizeof later[0])
#define LATER_FIRST 240u /* numbers from there on mean them */

static struct interface *
    interfaces[PROPS_PLANS + LATER]; /* own the plans, as long as the process lives */
static const struct plan *plans[PROPS_PLANS + LATER];

static void make_plans(void)
{
    for (size_t i = 0; i < PROPS_PLANS + LATER; i++) {
        size_t bytes;
        const char *text = i < PROPS_PLANS ? prototypes[i] : later[i - PROPS_PLANS];
        if (interface_parse("fuzz", text, strlen(text), &interfaces[i], NULL) < 0) {
            abort();
        }
        const void *plan = interface_plan(interfaces[i], 0, &bytes);
        if (plan_validate(plan, bytes, &plans[i], NULL) < 0) {
            abort();
        }
    }
}

const struct plan *props_plan(uint32_t number)
{
    if (!plans[0]) {
        make_plans();
    }
    return plans[number < LATER_FIRST ? number % PROPS_PLANS : PROPS_PLANS + number % LATER];
}

void props_take(struct input *input, void *to, size_t bytes)
{
    size_t there = bytes < input->size ? bytes : input->size;
    memset(to, 0, bytes);
    if (there > 0) {
        memcpy(to, input->data, there);
    }
    input->data += there;
    input->size -= there;
}

void props_touch(const struct cordon_value *value)
{
    volatile uint8_t sink = 0;
    for (size_t i = 0; value->kind == CORDON_VALUE_MEMORY && i < value->count; i++) {
        sink ^= ((const uint8_t *)value->memory)[i];
    }
    (void)sink;
}

void *props_keep(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                 uint32_t param, size_t bytes)
{
    static uint8_t kept[1u << 16];
    (void)context, (void)plan, (void)type, (void)param;
    return bytes <= sizeof kept ? kept : NULL;
}

static void fill_struct(const struct plan *plan, const struct cordon_plan_type *type,
                        uint8_t *image, char *text)
{
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_field *field = plan_field(plan, type->first + i);
        const struct cordon_plan_type *member = plan_type(plan, field->type);
        if (member->kind == CORDON_PLAN_POINTER || member->kind == CORDON_PLAN_STRING) {
            memcpy(image + field->offset, &text, sizeof text);
        } else {
            image[field->offset] = 4;
        }
    }
}

static struct cordon_value make_argument(const struct plan *plan,
                                         const struct cordon_plan_type *type, uint64_t *memory,
                                         char *text)
{
    const struct cordon_plan_type *target =
        type->target == CORDON_PLAN_NONE || type->kind != CORDON_PLAN_POINTER
            ? NULL
            : plan_type(plan, type->target);
    strcpy(text, "some text");
    if (type->kind == CORDON_PLAN_STRING) {
        return cordon_in(text, type->direction == CORDON_PLAN_OUT ? 64 : strlen(text));
    }
    if (target && target->kind == CORDON_PLAN_STRUCT) {
        for (size_t i = 0; i < 4; i++) {
            fill_struct(plan, target, (uint8_t *)memory + i * target->size, text);
        }
        return cordon_out(memory, 4);
    }
    if (target && target->kind == CORDON_PLAN_STRING) {
        memcpy(memory, &text, sizeof text);
        return cordon_out(memory, 2);
    }
    if (target) {
        memory[0] = 4;
        return cordon_out(memory, 16);
    }
    return type->kind == CORDON_PLAN_CALLBACK ? cordon_int(1) : cordon_int(4);
}

int props_callback_word(void *context, const struct plan *plan, uint32_t function,
                        const struct cordon_value *value, uint64_t *ret_word, struct message *why)
{
    (void)context, (void)plan, (void)function, (void)value, (void)why;
    *ret_word = 1;
    return 0;
}

void props_free_dynamic(const struct plan *plan, const struct cordon_plan_function *function,
                        struct props *props)
{
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(plan, function, i);
        if (param->passing == CORDON_PLAN_PASS_DYNAMIC) {
            void *memory;
            memcpy(&memory, props->memory[i], sizeof memory);
            if (memory != props->text[i]) {
                free(memory);
            }
        }
    }
}

void props_fill(struct props *props, const struct plan *plan,
                const struct cordon_plan_function *function, struct cordon_value *args)
{
    memset(props, 0, sizeof *props);
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(plan, function, i);
        if (param->position != CORDON_PLAN_NO_WORD) {
            args[param->position] =
                make_argument(plan, plan_type(plan, param->type), props->memory[i], props->text[i]);
        }
    }
}
