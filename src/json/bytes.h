/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_BYTES_H
#define JSON_BYTES_H

/* Bytes as text and back: hex, base64, UTF-8. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"

/* True if @text is well-formed UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
bool bytes_are_utf8(const char *text, size_t length);

/* Bytes of the UTF-8 sequence at @text, @length at least 1; 0: it is none. */
size_t bytes_utf8_sequence(const char *text, size_t length);

/* Value of a hexadecimal digit, or -1. */
int bytes_hex_digit(char c);

static inline size_t bytes_base64_length(size_t length)
{
    return (length + 2) / 3 * 4;
}

/* Writes bytes_base64_length() characters, no NUL. */
void bytes_to_base64(const void *bytes, size_t length, char *ret_text);

/* Writes 2 * @length characters, no NUL. */
void bytes_to_hex(const void *bytes, size_t length, char *ret_text);

/* Most bytes that so many characters of base64, or of hex, decode to. */
static inline size_t bytes_decoded_max(size_t length)
{
    return length / 4 * 3 + 3;
}

/*
 * Decode @text to @ret_bytes, where bytes_decoded_max(length) bytes are. Spaces and line ends are skipped; base64
 * may lack its padding, and may use '-' and '_'.
 * Returns 0, or -EINVAL with the place in @why.
 */
int bytes_from_hex(const char *text, size_t length, void *ret_bytes, size_t *ret_length,
                   struct message *why);
int bytes_from_base64(const char *text, size_t length, void *ret_bytes, size_t *ret_length,
                      struct message *why);

#endif
