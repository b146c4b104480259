/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

/*
 * What came back from a call, as JSON. Nothing is followed that is not memory of ours: lengths that the
 * library returned are cut at what there is.
 */

#include "cli/arguments.h"
#include "cli/json_out.h"

struct show {
    const struct arguments *arguments;
    struct length_scope scope; /* after the call */
    const void *owned; /* a piece of memory that libcordon gave, pointers inside it included */
    size_t owned_bytes;
    struct json_out *out;
};

/* @result  what the function returned; borrowed. */
void show_init(struct show *show, const struct arguments *arguments,
               const struct cordon_value *result, struct json_out *out);

/* What the function returned; @owned is its memory, or NULL. */
void show_return(struct show *show, const void *owned);

/* What parameter @index points to after the call. */
void show_output(struct show *show, uint32_t index);

/* Whether parameter @index comes back. */
bool show_is_output(const struct plan_view *plan, uint32_t index);

/*
 * The plain bytes of output @index, or of the result for UINT32_MAX: arrays, strings, structs.
 * False: it is no memory.
 */
bool show_bytes(struct show *show, uint32_t index, const void *owned, const void **ret_bytes,
                size_t *ret_length);

#endif
