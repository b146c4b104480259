/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_DOCUMENT_H
#define JSON_DOCUMENT_H

/*
 * Document: JSON text as values, read-only. Parsed in one go by simdjson; a value is a place in the
 * document, 16 bytes, passed by value, and borrowed: it ends with the next document_parse().
 *
 * Numbers are exact: an integer that fits 64 bits keeps its digits, others and numbers beyond a double
 * (1e400) are refused as a whole document. "-0" is a double, since no integer is that.
 *
 * A document is reused from text to text, its memory grows with the largest one: about 14 bytes of
 * address space for each byte of text, of which short values touch few.
 *
 * Threads: one at a time for each document.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes behind a text that the reader may look at, whatever they hold. */
#define DOCUMENT_PADDING 64u

/* All zero is a fine start. */
struct document {
    uint64_t *tape; /* as simdjson lays it out: its doc/tape.md */
    const uint8_t *strings;
    const char *text; /* borrowed, or @copy */
    size_t length;
    void *parser;
    char *copy; /* of a text that had no padding */
    size_t copy_room;
    bool zeros_told; /* "-0" was looked for */
};

enum json_kind {
    JSON_KIND_NONE = 0, /* there is no such value: an absent member */
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INT,    /* fits int64_t */
    JSON_KIND_UINT,   /* above INT64_MAX, fits uint64_t */
    JSON_KIND_DOUBLE, /* written with a point or an exponent; finite */
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};

/* All zero is JSON_KIND_NONE. */
struct json_value {
    struct document *document;
    uint32_t at;
};

/* NULL and all zero are fine. */
void document_deinit(struct document *document);

/*
 * Parse @text as one JSON value of any kind.
 *
 * @text         borrowed until the next document_parse(), and unchanged until then.
 * @room         bytes that can be read at @text; when that is less than length + DOCUMENT_PADDING, the
 *               text is copied first.
 * @nesting_max  arrays and objects inside each other.
 * @ret_root     written on success only.
 *
 * Returns 0; -EBADMSG with a sentence that ends with the place ("... at byte 17", counted from 0):
 * malformed, no UTF-8, a number that does not fit; -E2BIG nested deeper; -ENOMEM.
 */
int document_parse(struct document *document, const char *text, size_t length, size_t room,
                   uint32_t nesting_max, struct json_value *ret_root, struct message *why);

/* Give memory for texts beyond @bytes back. Values end. */
void document_shrink(struct document *document, size_t bytes);

enum json_kind json_value_kind(struct json_value value);

/* "a string", "an object", for sentences. */
const char *json_value_kind_text(struct json_value value);

static inline bool json_value_given(struct json_value value)
{
    return value.document != NULL;
}

static inline bool json_value_is_null(struct json_value value)
{
    return json_value_kind(value) == JSON_KIND_NULL;
}

/* Of a value of that kind; asserted. */
bool json_value_bool(struct json_value value);
int64_t json_value_int(struct json_value value);
uint64_t json_value_uint(struct json_value value);
double json_value_double(struct json_value value);

/* Unescaped, with a NUL behind it; may hold NULs. @ret_length may be NULL. */
const char *json_value_string(struct json_value value, size_t *ret_length);

/* Whether @value is a string that equals @text. */
bool json_value_equals(struct json_value value, const char *text);

/* Elements of an array, members of an object. 0 for everything else. */
size_t json_value_count(struct json_value value);

/* The member called @key; JSON_KIND_NONE: there is none, or @value is no object. Linear. */
struct json_value json_value_get(struct json_value value, const char *key);

/*
 * Whether an object in @value, itself included, has a key twice; @ret_key (may be NULL) is one that is,
 * borrowed. Time: n log n for an object of n members; memory for one of more than 16 is allocated.
 *
 * Returns 0 no, 1 yes, -ENOMEM.
 */
int json_value_duplicate(struct json_value value, const char **ret_key);

/* A walk over an array or object, in the text's order. Of anything else: no steps. */
struct json_walk {
    struct document *document;
    uint32_t next;
    uint32_t end;
};

struct json_walk json_walk(struct json_value container);

/* The next element. False: there is none. */
bool json_walk_next(struct json_walk *walk, struct json_value *ret_element);

/* The next member of an object; @ret_key is a string. */
bool json_walk_member(struct json_walk *walk, struct json_value *ret_key,
                      struct json_value *ret_member);

/* A walk over all objects in @value, itself included, however deep. */
struct json_walk json_sweep(struct json_value value);
bool json_sweep_object(struct json_walk *walk, struct json_value *ret_object);

#ifdef __cplusplus
}
#endif

#endif
