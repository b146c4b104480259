/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_SHAPE_H
#define INVOKE_SHAPE_H

/*
 * Shape: how a function of a plan looks to libffi: the types of its arguments and of its result.
 * Structs by value get ffi types made from the plan's fields.
 */

#include <ffi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "prototype/plan.h"

struct shape {
    ffi_cif cif; /* not prepared if variadic: each call prepares its own */
    ffi_type *result;
    ffi_type *arguments[CORDON_PLAN_PARAMS_MAX];
    uint32_t argument_count; /* without `...` */
    bool is_variadic;
};

/* All functions of one plan. */
struct shapes {
    uint32_t count;
    uint32_t struct_count;
    ffi_type *structs; /* by type index; element lists are theirs */
    struct shape of[];
};

/* Returns 0, -ENOTSUP (libffi cannot pass such a type by value) with @why, -ENOMEM. */
int shapes_new(const struct plan *plan, struct shapes **ret_shapes, struct message *why);
void shapes_free(struct shapes *shapes);

#endif
