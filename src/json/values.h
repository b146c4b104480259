/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_VALUES_H
#define JSON_VALUES_H

/* Values: the arguments of one call by position, and the memory behind them. */

#include "cordon/value.h"
#include "json/image.h"
#include "json/length.h"

struct call_values {
    const struct plan_view *plan;
    struct image image;
    struct length_scope scope;
    struct cordon_value *values; /* by position; `...` stands elsewhere */
    size_t count;
    void *const *residents; /* by position: members of objects that live in the worker; or NULL */
};

/*
 * Free memory that a call gave us: outputs of a length that the library chose. NULL is put where they
 * stood.
 */
void call_values_free_owned(struct call_values *values);

#endif
