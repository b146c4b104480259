/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/direct.h"

#include <errno.h>

typedef uint64_t integer_function(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

static bool is_float(uint8_t kind)
{
    return kind == CORDON_PLAN_F32 || kind == CORDON_PLAN_F64;
}

static bool is_scalar(uint8_t kind)
{
    return (kind >= CORDON_PLAN_BOOL && kind <= CORDON_PLAN_F64) || kind == CORDON_PLAN_TOKEN;
}

/* Does a value of @type travel in one integer register? */
static bool is_integer(const struct cordon_plan_type *type)
{
    return !is_float(type->kind) && type->kind != CORDON_PLAN_STRUCT &&
           (type->kind != CORDON_PLAN_VARARGS || (type->flags & CORDON_PLAN_VA_LIST));
}

static bool all_integers(const struct plan *plan, const struct cordon_plan_function *function)
{
    bool integers = function->param_count <= DIRECT_ARGUMENTS_MAX &&
                    !(function->flags & CORDON_PLAN_VARIADIC) &&
                    is_integer(plan_type(plan, function->result.type));
    for (uint32_t i = 0; integers && i < function->param_count; i++) {
        integers = is_integer(plan_type(plan, plan_function_param(plan, function, i)->type));
    }
    return integers;
}

static struct direct_word direct_word(const struct cordon_plan_type *type, uint16_t word)
{
    bool is_signed = type->kind == CORDON_PLAN_I8 || type->kind == CORDON_PLAN_I16 ||
                     type->kind == CORDON_PLAN_I32 || type->kind == CORDON_PLAN_I64;
    /* A bool is one bit: a byte of 2 would be one that C does not have. */
    uint32_t bits = type->kind == CORDON_PLAN_BOOL ? 1 : type->size * 8;
    return (struct direct_word){
        .word = (uint8_t)word, .shift = (uint8_t)(64 - bits), .is_signed = is_signed};
}

void direct_init(struct direct *direct, const struct plan *plan)
{
    const struct cordon_plan_function *function = plan_function(plan, 0);
    const struct cordon_plan_type *result = plan_type(plan, function->result.type);
    *direct = (struct direct){.is_integer = all_integers(plan, function),
                              .count = (uint8_t)function->param_count,
                              .in_words = (uint8_t)function->in_words};
    if (result->kind != CORDON_PLAN_VOID && result->kind != CORDON_PLAN_STRUCT) {
        direct->result = direct_word(result, 0);
        direct->out_words = 1;
    }
    if (!(function->flags & CORDON_PLAN_MAILBOX) || (function->flags & CORDON_PLAN_VARIADIC) ||
        function->param_count > DIRECT_ARGUMENTS_MAX ||
        (result->kind != CORDON_PLAN_VOID && !is_scalar(result->kind))) {
        return;
    }
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(plan, function, i);
        const struct cordon_plan_type *type = plan_type(plan, param->type);
        if (!is_scalar(type->kind) || param->passing != CORDON_PLAN_PASS_WORD ||
            param->in_word >= CORDON_PLAN_MAILBOX_WORDS) {
            return;
        }
        direct->arguments[i] = direct_word(type, param->in_word);
    }
    direct->is_ready = true;
}

static inline uint64_t extend(struct direct_word how, uint64_t word)
{
    uint64_t up = word << how.shift;
    return how.is_signed ? (uint64_t)((int64_t)up >> how.shift) : up >> how.shift;
}

/* @a has all six: what the function does not take is 0. */
static inline uint64_t call_registers(const struct direct *direct, void (*code)(void),
                                      const uint64_t *a, int32_t *ret_errno)
{
    integer_function *function = (integer_function *)code;
    errno = 0;
    uint64_t result = function(a[0], a[1], a[2], a[3], a[4], a[5]);
    *ret_errno = errno;
    return direct->out_words ? extend(direct->result, result) : 0;
}

uint64_t direct_call_integers(const struct direct *direct, void (*code)(void),
                              const uint64_t *arguments, int32_t *ret_errno)
{
    uint64_t a[DIRECT_ARGUMENTS_MAX] = {0};
    for (uint32_t i = 0; i < direct->count; i++) {
        a[i] = arguments[i];
    }
    return call_registers(direct, code, a, ret_errno);
}

uint64_t direct_call(const struct direct *direct, struct shape *shape, void (*code)(void),
                     const uint64_t *words, int32_t *ret_errno)
{
    uint64_t a[DIRECT_ARGUMENTS_MAX] = {0};
    for (uint32_t i = 0; i < direct->count; i++) {
        a[i] = extend(direct->arguments[i], words[direct->arguments[i].word]);
    }
    if (direct->is_integer) {
        return call_registers(direct, code, a, ret_errno);
    }
    uint64_t result = 0;
    /* Both machines are little-endian: a narrow value's bytes are the word's first ones. */
    void *arguments[DIRECT_ARGUMENTS_MAX] = {&a[0], &a[1], &a[2], &a[3], &a[4], &a[5]};
    errno = 0;
    ffi_call(&shape->cif, code, &result, arguments);
    *ret_errno = errno;
    return result;
}
