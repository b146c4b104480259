/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_SHOW_H
#define JSON_SHOW_H

/*
 * What came back from a call, as JSON. Nothing is followed that is not memory of ours: lengths that the
 * library returned are cut at what there is.
 */

#include "json/json_out.h"
#include "json/values.h"

/* How byte arrays come back. Text that is no UTF-8 is {"base64":...} whatever is asked for. */
enum json_encoding {
    JSON_BASE64 = 0, /* {"base64":"..."} */
    JSON_HEX,        /* "2cf24d..." */
    JSON_TEXT,       /* "...", without the NULs that it ends with */
};

struct show {
    const struct call_values *values;
    struct length_scope scope; /* after the call */
    const void *owned; /* a piece of memory that libcordon gave, pointers inside it included */
    size_t owned_bytes;
    struct json_out *out;
    enum json_encoding encoding;
    /* Writes a handle that is not null; NULL: {"handle":"db:3.2.1"}. */
    void (*give)(void *context, struct cordon_handle handle, const char *type_name,
                 struct json_out *out);
    void *context;
};

/*
 * The way a call's values are shown, until show_init() is called again; @encoding and @give may be set
 * afterwards.
 *
 * @values  borrowed, and may change: what is shown is what they are then.
 * @result  what the function returned; borrowed.
 */
void show_init(struct show *show, const struct call_values *values,
               const struct cordon_value *result, struct json_out *out);

/* What the function returned; @owned is its memory, or NULL. */
void show_return(struct show *show, const void *owned);

/* What parameter @index points to after the call. */
void show_output(struct show *show, uint32_t index);

/* Whether a parameter of @type names an object that lives in the worker, with members that are known. */
bool show_is_resident(const struct cordon_plan_type *type);

/* Whether parameter @index comes back. */
bool show_is_output(const struct plan_view *plan, uint32_t index);

/*
 * The plain bytes of output @index, or of the result for UINT32_MAX: arrays, strings, structs.
 * False: it is no memory.
 */
bool show_bytes(struct show *show, uint32_t index, const void *owned, const void **ret_bytes,
                size_t *ret_length);

#endif
