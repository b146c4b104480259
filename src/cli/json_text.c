/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SAFE_DIGITS 18 /* any integer of so many digits fits an int64_t */

/* Bytes of the string literal that begins at @text, both quotes included. */
static size_t string_span(const char *text, size_t length)
{
    size_t i = 1;
    while (i < length && text[i] != '"') {
        i += text[i] == '\\' ? 2 : 1;
    }
    return i < length ? i + 1 : length;
}

/* Bytes of the number that begins at @text; @ret_large: an integer that may not fit. */
static size_t number_span(const char *text, size_t length, bool *ret_large)
{
    size_t i = text[0] == '-' ? 1 : 0;
    size_t digits = 0;
    bool whole = true;
    for (; i < length && (isalnum((unsigned char)text[i]) || strchr("+-.", text[i])); i++) {
        whole = whole && isdigit((unsigned char)text[i]);
        digits++;
    }
    *ret_large = whole && digits > SAFE_DIGITS;
    return i;
}

/* @text with large integers in quotes; @copy has room for three times its length. */
static size_t quote_large(const char *text, size_t length, char *copy)
{
    size_t at = 0;
    for (size_t i = 0; i < length;) {
        size_t span = 1;
        bool large = false;
        if (text[i] == '"') {
            span = string_span(text + i, length - i);
        } else if (isdigit((unsigned char)text[i]) || text[i] == '-') {
            span = number_span(text + i, length - i, &large);
        }
        if (large) {
            copy[at++] = '"';
        }
        memcpy(copy + at, text + i, span);
        at += span;
        if (large) {
            copy[at++] = '"';
        }
        i += span;
    }
    return at;
}

int json_text_parse(const char *text, size_t length, json_t **ret_json, struct message *why)
{
    json_error_t error;
    char *copy = malloc(length * 3 + 1);
    if (!copy) {
        return message_set(why, -ENOMEM, "no memory for %zu bytes of JSON", length);
    }
    size_t copied = quote_large(text, length, copy);
    *ret_json =
        json_loadb(copy, copied, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    free(copy);
    if (!*ret_json) {
        return message_set(why, -EINVAL, "no JSON: %s (line %d, column %d)", error.text, error.line,
                           error.column);
    }
    return 0;
}
