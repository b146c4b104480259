/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/direct.h"

#include <errno.h>

#include "frame/frame.h"
#include "frame/plain.h"

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

static bool prepare_argument(struct direct *direct, const struct plan *plan,
                             const struct cordon_plan_function *function, uint32_t index)
{
    const struct cordon_plan_param *param = plan_function_param(plan, function, index);
    const struct cordon_plan_type *type = plan_type(plan, param->type);
    struct frame_plain plain;
    if (param->in_word >= CORDON_PLAN_MAILBOX_WORDS) {
        return false;
    }
    direct->arguments[index] = direct_word(type, param->in_word);
    if (!frame_plain_array(plan, function, index, &plain)) {
        return is_scalar(type->kind) && param->passing == CORDON_PLAN_PASS_WORD;
    }
    uint16_t length_word = plan_function_param(plan, function, plain.length_param)->in_word;
    direct->arrays[index] =
        (struct direct_array){.is_one = true,
                              .shift = (uint8_t)__builtin_ctz(plain.element_bytes),
                              .length_word = (uint8_t)length_word};
    return length_word < CORDON_PLAN_MAILBOX_WORDS;
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
    if ((function->flags & CORDON_PLAN_VARIADIC) || function->param_count > DIRECT_ARGUMENTS_MAX ||
        (result->kind != CORDON_PLAN_VOID && !is_scalar(result->kind))) {
        return;
    }
    bool arrays = false;
    for (uint32_t i = 0; i < function->param_count; i++) {
        if (!prepare_argument(direct, plan, function, i)) {
            return;
        }
        arrays = arrays || direct->arrays[i].is_one;
    }
    direct->is_ready = (function->flags & CORDON_PLAN_MAILBOX) != 0;
    direct->is_short = arrays && function->out_words == direct->out_words;
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

/* @a  six native arguments. */
static inline uint64_t call(const struct direct *direct, struct shape *shape, void (*code)(void),
                            uint64_t a[static DIRECT_ARGUMENTS_MAX], int32_t *ret_errno)
{
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

uint64_t direct_call(const struct direct *direct, struct shape *shape, void (*code)(void),
                     const uint64_t *words, int32_t *ret_errno)
{
    uint64_t a[DIRECT_ARGUMENTS_MAX] = {0};
    for (uint32_t i = 0; i < direct->count; i++) {
        a[i] = extend(direct->arguments[i], words[direct->arguments[i].word]);
    }
    return call(direct, shape, code, a, ret_errno);
}

/* Where array @index lies; NULL: not in @bytes. */
static inline const uint8_t *array_at(const struct direct *direct, uint32_t index,
                                      const uint64_t *words, const uint8_t *bytes,
                                      uint32_t byte_count)
{
    const struct direct_array *array = &direct->arrays[index];
    uint64_t at = words[direct->arguments[index].word];
    bool inside = at <= byte_count && at % FRAME_ALIGN == 0 &&
                  words[array->length_word] <= (byte_count - at) >> array->shift;
    return inside ? bytes + at : NULL;
}

int direct_call_short(const struct direct *direct, struct shape *shape, void (*code)(void),
                      const uint64_t *words, const uint8_t *bytes, uint32_t byte_count,
                      uint64_t *ret_result, int32_t *ret_errno)
{
    uint64_t a[DIRECT_ARGUMENTS_MAX] = {0};
    for (uint32_t i = 0; i < direct->count; i++) {
        if (!direct->arrays[i].is_one) {
            a[i] = extend(direct->arguments[i], words[direct->arguments[i].word]);
            continue;
        }
        a[i] = (uint64_t)(uintptr_t)array_at(direct, i, words, bytes, byte_count);
        if (a[i] == 0) {
            return -EBADMSG;
        }
    }
    *ret_result = call(direct, shape, code, a, ret_errno);
    return 0;
}
