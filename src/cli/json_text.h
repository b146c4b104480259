/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JSON_TEXT_H
#define CLI_JSON_TEXT_H

#include <jansson.h>

#include "base/message.h"

/*
 * Parse @text as one JSON value of any kind. Integers that no int64_t holds become strings of their
 * digits, so that none is rounded.
 *
 * Returns 0 and a value for json_decref(), -EINVAL with the place in @why, -ENOMEM.
 */
int json_text_parse(const char *text, size_t length, json_t **ret_json, struct message *why);

#endif
