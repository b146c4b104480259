/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_CALL_H
#define JSON_CALL_H

/*
 * Call: one request's parameters as the values that cordon_call() wants, and what came back as JSON.
 *
 * Life: json_call_init(), then any number of times json_call_named() or _positional(), the call with
 * @args, json_call_result(), json_call_reset(); at last json_call_deinit(). The values own all their memory:
 * the request's document may be parsed anew as soon as they are made. What a small request needs is kept from one to
 * the next, so that nothing is allocated.
 *
 * Threads: one at a time for each call; methods are only read.
 */

#include "cordon/function.h"
#include "json/method.h"
#include "json/values.h"

/* Handles of the caller, as strings. Needed only for methods with handles; NULL members refuse them. */
struct json_hooks {
    void *context;
    /*
     * The handle that a client calls @text (with a NUL behind it). @tag is the type's, 0 if it has none.
     * Returns 0, or a negative errno with a sentence, which ends the conversion and is passed on: -ESTALE.
     */
    int (*take)(void *context, const char *text, size_t length, uint32_t tag,
                struct cordon_handle *ret_handle, struct message *why);
    /*
     * Write @handle, which is not null, as one JSON value. Inside structs and arrays a handle's worker is not known:
     * handle.worker is 0, and means the one that was called.
     */
    void (*give)(void *context, struct cordon_handle handle, const char *type_name,
                 struct json_out *out);
    /* The call that is done has ended @handle. */
    void (*released)(void *context, struct cordon_handle handle);
};

struct json_call {
    const struct json_method *method;
    struct call_values values;
    struct cordon_value *args; /* for cordon_call(); in the values' memory */
    size_t arg_count;
};

void json_call_init(struct json_call *call);
void json_call_deinit(struct json_call *call);

/*
 * Values of @method's parameters, by name.
 *
 * @params  an object; JSON_KIND_NONE counts as {}. Keys that are no parameter are refused, unless they
 *          are among @skip (ends with NULL; may be NULL), which are never parameters.
 * @hooks   may be NULL. Not kept.
 *
 * Returns 0; -EINVAL, -E2BIG (limits), -ENOMEM, or what hooks->take returned; with a sentence that names the
 * parameter: "parameter 'len': 300 does not fit uint8_t (0 to 255)". The call is to be reset then, too.
 */
int json_call_named(struct json_call *call, const struct json_method *method,
                    struct json_value params, const char *const *skip,
                    const struct json_hooks *hooks, struct message *why);

/* By position: @params is an array of all that are sent, in order; optional ones at the end may be missing. */
int json_call_positional(struct json_call *call, const struct json_method *method,
                         struct json_value params, const struct json_hooks *hooks,
                         struct message *why);

/*
 * The result of a call that ended as CORDON_DONE, as one JSON value. Tells hooks->released of
 * handles that ended. Lengths that the library returned are cut at the memory there is.
 */
void json_call_result(struct json_call *call, const struct cordon_result *result,
                      const struct json_hooks *hooks, struct json_out *out);

/* Forget the values; memory that outputs were given is freed. Fine at any time. */
void json_call_reset(struct json_call *call);

#endif
