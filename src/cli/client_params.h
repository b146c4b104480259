/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLIENT_PARAMS_H
#define CLI_CLIENT_PARAMS_H

/* A request's params from what a person typed. */

#include <stddef.h>

#include "base/message.h"
#include "json/document.h"
#include "json/json_out.h"

/*
 * Write ARGs as params: an object if they are "name=value" or "name:=JSON", else an array.
 *
 * @method  what cordon.describe says of the method: the types of its parameters decide how values are read. NONE:
 *          nothing is known; a value that is JSON is taken as that, else as a string.
 *
 * Returns 0; -EINVAL and what reading a file met, with a sentence that names the ARG; -ENOMEM.
 */
int client_params_write(struct json_value method, const char *const *texts, size_t count,
                        struct json_out *out, struct message *why);

/* @text, which must be a JSON object or array, as params. Returns as above. */
int client_params_write_json(const char *text, struct json_out *out, struct message *why);

#endif
