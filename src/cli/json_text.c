/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json_text.h"

#include <errno.h>

#define NESTING_MAX 512u

int json_text_parse(struct document *document, const char *text, size_t length,
                    struct json_value *ret_json, struct message *why)
{
    struct message inner;
    const char *key;
    int r = document_parse(document, text, length, length, NESTING_MAX, ret_json, &inner);
    if (r < 0) {
        return message_set(why, r == -ENOMEM ? r : -EINVAL, "no JSON: %s", inner.text);
    }
    r = json_value_duplicate(*ret_json, &key);
    return r > 0 ? message_set(why, -EINVAL, "an object has '%.64s' twice", key) : r;
}
