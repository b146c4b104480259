/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

/*
 * Arguments: the ARGs of a command line as the values of one call. Parameters that only come back, or
 * only give an input's length, have no ARG: room for the former is found out by their lengths.
 */

#include "cordon/value.h"
#include "json/values.h"

struct arguments {
    const struct plan_view *plan;
    struct message *why;
    struct call_values by_position;
    size_t variadic_at;    /* position of `...`; SIZE_MAX: none */
    size_t variadic_count; /* its values stand in @variadic */
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    struct cordon_value variadic[CORDON_PLAN_PARAMS_MAX];
    struct cordon_value flat[2 * CORDON_PLAN_PARAMS_MAX];
    /* Objects of `resident` parameters, by position: their members in the image, and in the worker. */
    void *residents[CORDON_PLAN_PARAMS_MAX]; /* NULL: none */
    struct cordon_handle resident_handles[CORDON_PLAN_PARAMS_MAX];
};

/*
 * @plan, @why  borrowed.
 * @bytes_max   most memory that the arguments may take.
 */
void arguments_init(struct arguments *arguments, const struct plan_view *plan, size_t bytes_max,
                    struct message *why);
void arguments_deinit(struct arguments *arguments);

/*
 * Convert @texts. Returns 0; -EINVAL, -E2BIG with a sentence that names the argument; what reading a
 * file met.
 */
int arguments_parse(struct arguments *arguments, char *const *texts, size_t count);

/* All values in the order that cordon_call() wants. Borrowed. */
const struct cordon_value *arguments_values(struct arguments *arguments, size_t *ret_count);

/*
 * Make the arguments what they were at the first call. Memory that the last call gave us is freed.
 * arguments_keep(): to be called before the first. Returns 0, -ENOMEM.
 */
int arguments_keep(struct arguments *arguments);
void arguments_renew(struct arguments *arguments);

#endif
