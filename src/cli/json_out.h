/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

/*
 * JSON text, written front to back. Numbers are exact: 64-bit integers with all their digits, floating
 * point with as few digits as read back the same. Text that is no UTF-8 becomes {"base64":"..."}.
 *
 * Out of memory is remembered, and reported once by json_out_text().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_out {
    char *text;
    size_t length;
    size_t room;
    bool comma;    /* the next element needs one */
    bool readable; /* for people: spaces after commas and colons, bytes in hex and cut */
    bool failed;
};

/* All zero is a fine start. */
void json_out_deinit(struct json_out *out);

/* The text so far, NUL-terminated, borrowed; NULL: memory ran out. */
const char *json_out_text(struct json_out *out);

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
/* {"base64":"..."} */
void json_out_bytes(struct json_out *out, const void *bytes, size_t length);

#endif
