/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/variadic.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "cordon/value.h"

static ffi_type *type_of(uint64_t type)
{
    switch (type) {
    case CORDON_TYPE_INT:
        return &ffi_type_sint32;
    case CORDON_TYPE_UINT:
        return &ffi_type_uint32;
    case CORDON_TYPE_LONG:
    case CORDON_TYPE_LLONG:
        return &ffi_type_sint64;
    case CORDON_TYPE_ULONG:
    case CORDON_TYPE_ULLONG:
    case CORDON_TYPE_SIZE:
        return &ffi_type_uint64;
    case CORDON_TYPE_DOUBLE:
        return &ffi_type_double;
    case CORDON_TYPE_STRING:
    case CORDON_TYPE_POINTER:
        return &ffi_type_pointer;
    default:
        return NULL;
    }
}

static int check_count(const struct frame_call *call, struct message *why)
{
    return call->variadic.count <= CORDON_PLAN_PARAMS_MAX
               ? 0
               : message_set(why, -E2BIG,
                             "%u arguments for `...`, %u are the most (CORDON_PLAN_PARAMS_MAX)",
                             call->variadic.count, CORDON_PLAN_PARAMS_MAX);
}

int variadic_prepare(const struct shape *shape, const struct frame_call *call,
                     struct variadic_call *ret_call, struct message *why)
{
    int r = check_count(call, why);
    if (r < 0) {
        return r;
    }
    uint32_t count = shape->argument_count;
    for (uint32_t i = 0; i < count; i++) {
        ret_call->types[i] = shape->arguments[i];
        ret_call->arguments[i] = call->arguments[i];
    }
    for (uint32_t i = 0; i < call->variadic.count; i++, count++) {
        ret_call->types[count] = type_of(call->variadic.pairs[2 * i]);
        ret_call->arguments[count] = (void *)(uintptr_t)&call->variadic.pairs[2 * i + 1];
        if (!ret_call->types[count]) {
            return message_set(why, -EINVAL, "argument %u of `...` has no type that C knows",
                               i + 1);
        }
    }
    if (ffi_prep_cif_var(&ret_call->cif, FFI_DEFAULT_ABI, shape->argument_count, count,
                         shape->result, ret_call->types) != FFI_OK) {
        return message_set(why, -EINVAL, "libffi cannot pass these arguments for `...`");
    }
    return 0;
}

#if defined(__x86_64__)
struct list_image {
    uint32_t integers_at;
    uint32_t floats_at;
    void *overflow;
    void *registers;
};

/* 6 integer registers of 8 bytes, 8 vector registers of 16: none are left. */
static struct list_image list_of(void *row)
{
    return (struct list_image){.integers_at = 48, .floats_at = 176, .overflow = row};
}
#elif defined(__aarch64__)
struct list_image {
    void *stack;
    void *integers_end;
    void *floats_end;
    int32_t integers_at;
    int32_t floats_at;
};

/* Offsets from the end of the saved registers: 0, none are left. */
static struct list_image list_of(void *row)
{
    return (struct list_image){.stack = row};
}
#else
#error "va_list is known for x86-64 and aarch64"
#endif
_Static_assert(sizeof(struct list_image) == sizeof(__builtin_va_list), "the platform's va_list");
_Static_assert(sizeof(struct list_image) <= VARIADIC_LIST_WORDS * 8, "an image fits");

int variadic_pass_list(struct frame_call *call, struct variadic_list *list, struct message *why)
{
    const struct cordon_plan_function *function = plan_function(call->plan, call->function);
    int r = check_count(call, why);
    if (r < 0) {
        return r;
    }
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_type *type =
            plan_type(call->plan, plan_function_param(call->plan, function, i)->type);
        if (type->kind != CORDON_PLAN_VARARGS || !(type->flags & CORDON_PLAN_VA_LIST)) {
            continue;
        }
        for (uint32_t j = 0; j < call->variadic.count; j++) {
            list->row[j] = call->variadic.pairs[2 * j + 1];
        }
        struct list_image image = list_of(list->row);
        memcpy(list->image, &image, sizeof image);
        call->storage[i] = (uint64_t)(uintptr_t)list->image;
        call->arguments[i] = &call->storage[i];
    }
    return 0;
}
