/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BYTES_H
#define CLI_BYTES_H

/* Bytes as text and back: hex, base64, files. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"

/* True if @text is well-formed UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
bool bytes_are_utf8(const char *text, size_t length);

static inline size_t bytes_base64_length(size_t length)
{
    return (length + 2) / 3 * 4;
}

/* Writes bytes_base64_length() characters, no NUL. */
void bytes_to_base64(const void *bytes, size_t length, char *ret_text);

/*
 * Decode @text to malloc'ed memory. Spaces and line ends are skipped; base64 may lack its padding.
 * Returns 0, -EINVAL with the place in @why, -ENOMEM.
 */
int bytes_from_hex(const char *text, size_t length, void **ret_bytes, size_t *ret_length,
                   struct message *why);
int bytes_from_base64(const char *text, size_t length, void **ret_bytes, size_t *ret_length,
                      struct message *why);

/*
 * All of a file, or of standard input ("-"), in malloc'ed memory.
 * Returns 0, -EFBIG beyond @bytes_max, or what opening and reading met; named in @why.
 */
int bytes_from_file(const char *path, size_t bytes_max, void **ret_bytes, size_t *ret_length,
                    struct message *why);

#endif
