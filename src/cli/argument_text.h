/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ARGUMENT_TEXT_H
#define CLI_ARGUMENT_TEXT_H

/*
 * One ARG: a number, a string, true/false, null, JSON; for bytes plain text, @FILE, @-, hex:..., or
 * base64:.... `text:` before it takes the rest as it is, `json:` takes it as JSON. image->step names the
 * argument in refusals.
 */

#include "cordon/value.h"
#include "json/image.h"

/* @text as the value of a parameter of @type. Returns 0, -EINVAL, -E2BIG, what reading a file met. */
int argument_parse(struct image *image, const struct cordon_plan_type *type, const char *text,
                   struct cordon_value *ret_value);

/* @text as one of `...`: an integer, a number, null, else a string. */
int argument_variadic(struct image *image, const char *text, struct cordon_value *ret_value);

#endif
