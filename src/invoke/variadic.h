/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_VARIADIC_H
#define INVOKE_VARIADIC_H

/*
 * Variadic: arguments whose types are known at the call only: `...` and va_list.
 *
 * A va_list is built as an image of the platform's type that says "all register arguments have
 * been taken": every argument then comes from the overflow area, which is a row of 8-byte words,
 * and that is what frame_accept() leaves. Both ABIs pass the va_list itself as a pointer to the
 * image: an array on x86-64, a struct of more than 16 bytes on aarch64.
 *
 * Source: System V ABI x86-64 section 3.5.7, AAPCS64 appendix B (The stdarg.h header).
 */

#include <ffi.h>
#include <stdint.h>

#include "base/message.h"
#include "frame/frame.h"
#include "invoke/shape.h"

struct variadic_call {
    ffi_cif cif;
    ffi_type *types[2 * CORDON_PLAN_PARAMS_MAX];
    void *arguments[2 * CORDON_PLAN_PARAMS_MAX];
};

/*
 * A call of @shape with the accepted arguments of @call and those of its `...`. Borrows both.
 * Returns 0, or -E2BIG (more than CORDON_PLAN_PARAMS_MAX), -EINVAL, with @why.
 */
int variadic_prepare(const struct shape *shape, const struct frame_call *call,
                     struct variadic_call *ret_call, struct message *why);

#define VARIADIC_LIST_WORDS 4u

struct variadic_list {
    uint64_t image[VARIADIC_LIST_WORDS]; /* the platform's va_list */
    uint64_t row[CORDON_PLAN_PARAMS_MAX];
};

/* Where @call has a va_list parameter, pass @list, filled from the accepted arguments. */
int variadic_pass_list(struct frame_call *call, struct variadic_list *list, struct message *why);

#endif
