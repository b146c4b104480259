/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_METHOD_H
#define JSON_METHOD_H

/*
 * Method: a function as JSON clients see it: which parameters they send, which are fixed, what the
 * result is. Made once from a plan; then any number of calls (json/call.h) are made of it at once.
 *
 * Parameters that only come back, or only give an input's length, are not sent. One that may be NULL is
 * optional, and NULL when it is not sent; so is a `void *` that Cordon does not follow.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "json/document.h"
#include "json/json_out.h"
#include "json/plan_view.h"
#include "json/show.h"

/* All zero but @plan is a fine set. */
struct json_method_options {
    const struct plan_view *plan; /* borrowed, as long as the method lives */
    const char
        *fixed; /* JSON object, copied: parameters by name that clients do not send; or NULL */
    size_t fixed_length;
    const char
        *result; /* "return", or the name of the output that alone is the result; NULL: by rule */
    enum json_encoding encoding;
    size_t bytes_max; /* memory of one call's arguments; 0: LIMIT_FRAME_BYTES */
};

enum json_method_traits {
    JSON_METHOD_TAKES_HANDLES = 1u << 0, /* somewhere among the parameters */
    JSON_METHOD_GIVES_HANDLES = 1u << 1,
    JSON_METHOD_RELEASES = 1u << 2, /* a parameter ends a handle */
    JSON_METHOD_VARIADIC = 1u << 3,
};

/* What a parameter is to a client. */
enum json_role {
    JSON_ROLE_SENT,
    JSON_ROLE_OPTIONAL, /* sent, or NULL */
    JSON_ROLE_FIXED,
    JSON_ROLE_OUT,      /* only comes back */
    JSON_ROLE_LENGTH,   /* only gives an input's length */
    JSON_ROLE_VARIADIC, /* `...`: an array called "..." by name, all that is left by position */
};

struct json_parameter {
    const char *name; /* "arg1" where the prototype has none; "..." */
    uint8_t name_length;
    uint8_t role;            /* enum json_role */
    bool comes_back;         /* among the result's outputs */
    struct json_value fixed; /* JSON_ROLE_FIXED */
};

struct json_method {
    const struct plan_view *plan;
    enum json_encoding encoding;
    size_t bytes_max;
    uint32_t traits;       /* enum json_method_traits */
    uint32_t count;        /* of the function's parameters */
    uint32_t output_count; /* those that come back */
    uint32_t result;       /* the parameter that alone is the result, or JSON_RESULT_... */
    uint32_t order_count;
    struct document fixed;
    char *fixed_text;
    /* How values are made: numbers first, they may give lengths; outputs' room last. Indices of parameters. */
    uint8_t order[CORDON_PLAN_PARAMS_MAX];
    struct json_parameter parameters[CORDON_PLAN_PARAMS_MAX];
};

#define JSON_RESULT_ALL    UINT32_MAX       /* an object of "return" and the outputs */
#define JSON_RESULT_RETURN (UINT32_MAX - 1) /* what the function returned */

/*
 * Returns 0; -EINVAL (@fixed or @result names nothing, or does not fit), -ENOTSUP (needs callbacks or
 * resident objects), -ENOMEM, with a sentence.
 */
int json_method_init(struct json_method *method, const struct json_method_options *options,
                     struct message *why);
/* All zero is fine. */
void json_method_deinit(struct json_method *method);

/*
 * The sentence for parameters that do not fit: "crc32 takes crc (uint32_t), buf (bytes)". Appended to
 * @why.
 */
void json_method_add_parameters(const struct json_method *method, struct message *why);

/* Whether clients may send a parameter of that name. */
bool json_method_takes(const struct json_method *method, const char *name);

/*
 * For `cordon.describe`: members "parameters" (name, type, direction "in" | "inout", optional) and "result"
 * (a type's name, or an array of name and type) of an object that was begun.
 */
void json_method_describe(const struct json_method *method, struct json_out *out);

#endif
