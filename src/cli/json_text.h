/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JSON_TEXT_H
#define CLI_JSON_TEXT_H

#include "base/message.h"
#include "json/document.h"

/*
 * Parse @text, which somebody typed or keeps in a file, as one JSON value of any kind.
 *
 * @document  all zero, for document_deinit() in any case; borrows @text.
 *
 * Returns 0; -EINVAL with the place: no JSON, a key twice, nested deeper than 512; -ENOMEM.
 */
int json_text_parse(struct document *document, const char *text, size_t length,
                    struct json_value *ret_json, struct message *why);

#endif
