/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_JSON_OUT_H
#define JSON_JSON_OUT_H

/*
 * JSON text, written front to back. Numbers are exact: 64-bit integers with all their digits, floating
 * point with as few digits as read back the same. Text that is no UTF-8 becomes {"base64":"..."}.
 *
 * Running out of memory or beyond length_max is remembered, and reported once by json_out_text().
 *
 * The text lies in memory from malloc(), @room bytes of it, @length in use: whoever has a growing buffer
 * of that kind puts it in and takes it out again, and nothing is copied.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/document.h"

struct json_out {
    char *text;
    size_t length;
    size_t room;
    size_t length_max; /* 0: none */
    bool comma;        /* the next element needs one */
    bool readable;     /* for people: spaces after commas and colons, bytes in hex and cut */
    bool failed;
};

/* All zero is a fine start. */
void json_out_deinit(struct json_out *out);

/* The text so far, NUL-terminated, borrowed; NULL: memory ran out, or length_max was reached. */
const char *json_out_text(struct json_out *out);

/* Where an element begins, to take back all that was written since; failing too. */
struct json_mark {
    size_t length;
    bool comma;
};

static inline struct json_mark json_out_mark(const struct json_out *out)
{
    return (struct json_mark){.length = out->length, .comma = out->comma};
}

void json_out_rewind(struct json_out *out, struct json_mark mark);

/*
 * @length bytes that are no JSON (a frame's header), to be written by the caller; NULL: failed. No comma before
 * what follows.
 */
char *json_out_raw(struct json_out *out, size_t length);

void json_out_object(struct json_out *out);
void json_out_object_end(struct json_out *out);
void json_out_array(struct json_out *out);
void json_out_array_end(struct json_out *out);
void json_out_key(struct json_out *out, const char *key);

void json_out_null(struct json_out *out);
void json_out_bool(struct json_out *out, bool value);
void json_out_int(struct json_out *out, int64_t value);
void json_out_uint(struct json_out *out, uint64_t value);
/* JSON has no infinities and no NaN: these are the strings "inf", "-inf", "nan". */
void json_out_double(struct json_out *out, double value);
void json_out_float(struct json_out *out, float value);
/* @value must be UTF-8: our own words. */
void json_out_string(struct json_out *out, const char *value);
/* Somebody else's text. */
void json_out_text_bytes(struct json_out *out, const char *value, size_t length);
/* A sentence that may hold somebody else's words: always a string, what is no UTF-8 becomes '?'. */
void json_out_sentence(struct json_out *out, const char *text);
/* {"base64":"..."} */
void json_out_bytes(struct json_out *out, const void *bytes, size_t length);
/* "00ff..." */
void json_out_hex(struct json_out *out, const void *bytes, size_t length);
/* A value as it was read: an id that is given back. */
void json_out_value(struct json_out *out, struct json_value value);

#endif
