/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_READER_H
#define JSON_READER_H

/* Reader: simdjson's parser behind a C face. Private to document.c. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum reader_outcome {
    READER_DONE = 0,
    READER_MALFORMED,
    READER_TOO_DEEP,
    READER_NO_MEMORY,
};

/*
 * Write the tape and the strings of @text.
 *
 * @parser_at  NULL at first; made here, for reader_free().
 * @text       with DOCUMENT_PADDING readable bytes behind @length.
 * @capacity   length to make room for if there is not enough.
 *
 * Returns an enum reader_outcome. The tape is the parser's, until its next text.
 */
int reader_parse(void **parser_at, const char *text, size_t length, size_t capacity,
                 uint32_t nesting_max, uint64_t **ret_tape, const uint8_t **ret_strings);

/* Length of a text that needs no more memory. @parser may be NULL, here and below. */
size_t reader_capacity(const void *parser);

void reader_free(void *parser);

#ifdef __cplusplus
}
#endif

#endif
