/* SPDX-License-Identifier: Apache-2.0 */
#include "json/json_out.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/bytes.h"

#define READABLE_BYTES_MAX 64u /* bytes shown to people */

void json_out_deinit(struct json_out *out)
{
    free(out->text);
    *out = (struct json_out){0};
}

const char *json_out_text(struct json_out *out)
{
    return out->failed ? NULL : out->text ? out->text : "";
}

/* Room for @bytes more and a NUL. */
static char *extend(struct json_out *out, size_t bytes)
{
    if (out->failed || bytes > SIZE_MAX / 4 - out->length) {
        out->failed = true;
        return NULL;
    }
    size_t needed = out->length + bytes + 1;
    if (out->length_max > 0 && needed - 1 > out->length_max) {
        out->failed = true;
        return NULL;
    }
    if (needed > out->room) {
        size_t room = needed < 256 ? 256 : needed + needed / 2;
        char *text = realloc(out->text, room);
        if (!text) {
            out->failed = true;
            return NULL;
        }
        out->text = text;
        out->room = room;
    }
    char *at = out->text + out->length;
    out->length += bytes;
    out->text[out->length] = '\0';
    return at;
}

static void append(struct json_out *out, const char *text, size_t length)
{
    char *at = extend(out, length);
    if (at) {
        memcpy(at, text, length);
    }
}

static inline void append_text(struct json_out *out, const char *text)
{
    append(out, text, strlen(text));
}

void json_out_rewind(struct json_out *out, struct json_mark mark)
{
    out->length = mark.length;
    out->comma = mark.comma;
    out->failed = false;
    if (out->text) {
        out->text[out->length] = '\0';
    }
}

char *json_out_raw(struct json_out *out, size_t length)
{
    out->comma = false;
    return extend(out, length);
}

/* Before every element. */
static void separate(struct json_out *out)
{
    if (out->comma) {
        append_text(out, out->readable ? ", " : ",");
    }
    out->comma = true;
}

static void put(struct json_out *out, const char *text)
{
    separate(out);
    append_text(out, text);
}

void json_out_object(struct json_out *out)
{
    put(out, "{");
    out->comma = false;
}

void json_out_object_end(struct json_out *out)
{
    append_text(out, "}");
    out->comma = true;
}

void json_out_array(struct json_out *out)
{
    put(out, "[");
    out->comma = false;
}

void json_out_array_end(struct json_out *out)
{
    append_text(out, "]");
    out->comma = true;
}

void json_out_key(struct json_out *out, const char *key)
{
    json_out_string(out, key);
    append_text(out, out->readable ? ": " : ":");
    out->comma = false;
}

void json_out_null(struct json_out *out)
{
    put(out, "null");
}

void json_out_bool(struct json_out *out, bool value)
{
    put(out, value ? "true" : "false");
}

/* Digits of @value, which end at @end. Returns where they begin. */
static char *digits_of(uint64_t value, char *end)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return end;
}

#define DIGITS_BYTES 21u /* a sign and 20 digits */

void json_out_int(struct json_out *out, int64_t value)
{
    char text[DIGITS_BYTES];
    char *end = text + sizeof text;
    char *start = digits_of(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, end);
    if (value < 0) {
        *--start = '-';
    }
    separate(out);
    append(out, start, (size_t)(end - start));
}

void json_out_uint(struct json_out *out, uint64_t value)
{
    char text[DIGITS_BYTES];
    char *end = text + sizeof text;
    const char *start = digits_of(value, end);
    separate(out);
    append(out, start, (size_t)(end - start));
}

static bool put_special(struct json_out *out, double value)
{
    if (isfinite(value)) {
        return false;
    }
    json_out_string(out, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    return true;
}

/* A whole number shows that it is floating point. */
static void put_number(struct json_out *out, const char *text)
{
    put(out, text);
    if (!strpbrk(text, ".eE")) {
        append_text(out, ".0");
    }
}

void json_out_double(struct json_out *out, double value)
{
    char text[40];
    if (put_special(out, value)) {
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    put_number(out, text);
}

void json_out_float(struct json_out *out, float value)
{
    char text[40];
    if (put_special(out, (double)value)) {
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) {
            break;
        }
    }
    put_number(out, text);
}

/* What of a byte must not stand in a string as it is. */
static bool is_special(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

#define ONES        0x0101010101010101u
#define HIGH_BITS   (ONES * 0x80)
#define ZERO_IN(x)  (((x)-ONES) & ~(x)&HIGH_BITS)
#define EQUAL(x, c) ZERO_IN((x) ^ (ONES * (c)))
#define BELOW(x, n) (((x)-ONES * (n)) & ~(x)&HIGH_BITS) /* n up to 0x80 */

/* Bytes from @value on that need no escape: eight at a time where there are. */
static size_t plain_span(const char *value, size_t length)
{
    size_t i = 0;
    for (; length - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, value + i, sizeof word);
        if (BELOW(word, 0x20) | EQUAL(word, '"') | EQUAL(word, '\\') | EQUAL(word, 0x7f)) {
            break;
        }
    }
    while (i < length && !is_special((unsigned char)value[i])) {
        i++;
    }
    return i;
}

static void append_escape(struct json_out *out, unsigned char c)
{
    static const char shorts[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = c ? strchr(shorts, c) : NULL;
    char escape[8];
    if (found) {
        (void)snprintf(escape, sizeof escape, "\\%c", letters[found - shorts]);
    } else {
        (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
    }
    append_text(out, escape);
}

static void append_escaped(struct json_out *out, const char *value, size_t length)
{
    append(out, "\"", 1);
    for (size_t i = 0; i < length;) {
        size_t span = plain_span(value + i, length - i);
        append(out, value + i, span);
        i += span;
        if (i < length) {
            append_escape(out, (unsigned char)value[i++]);
        }
    }
    append(out, "\"", 1);
}

void json_out_string(struct json_out *out, const char *value)
{
    separate(out);
    append_escaped(out, value, strlen(value));
}

void json_out_text_bytes(struct json_out *out, const char *value, size_t length)
{
    if (!bytes_are_utf8(value, length)) {
        json_out_bytes(out, value, length);
        return;
    }
    separate(out);
    append_escaped(out, value, length);
}

void json_out_sentence(struct json_out *out, const char *text)
{
    struct message clean;
    message_set_foreign(&clean, text, strlen(text));
    json_out_string(out, clean.text);
}

/* "16 bytes 00 01 ...": no JSON, for a person's eye. */
static void put_readable_bytes(struct json_out *out, const uint8_t *bytes, size_t length)
{
    char text[48];
    snprintf(text, sizeof text, "%zu byte%s", length, length == 1 ? "" : "s");
    put(out, text);
    for (size_t i = 0; i < length && i < READABLE_BYTES_MAX; i++) {
        snprintf(text, sizeof text, "%s%02x", i % 4 == 0 ? " " : "", bytes[i]);
        append_text(out, text);
    }
    if (length > READABLE_BYTES_MAX) {
        append_text(out, " ...");
    }
}

void json_out_bytes(struct json_out *out, const void *bytes, size_t length)
{
    if (out->readable) {
        put_readable_bytes(out, bytes, length);
        return;
    }
    put(out, "{\"base64\":\"");
    char *at = extend(out, bytes_base64_length(length));
    if (at) {
        bytes_to_base64(bytes, length, at);
    }
    append_text(out, "\"}");
}

void json_out_hex(struct json_out *out, const void *bytes, size_t length)
{
    if (out->readable) {
        put_readable_bytes(out, bytes, length);
        return;
    }
    separate(out);
    char *at = length < SIZE_MAX / 4 ? extend(out, 2 * length + 2) : extend(out, SIZE_MAX);
    if (at) {
        *at = '"';
        bytes_to_hex(bytes, length, at + 1);
        at[2 * length + 1] = '"';
    }
}

static void put_leaf(struct json_out *out, struct json_value value)
{
    size_t length;
    const char *text;
    switch (json_value_kind(value)) {
    case JSON_KIND_BOOL:
        json_out_bool(out, json_value_bool(value));
        break;
    case JSON_KIND_INT:
        json_out_int(out, json_value_int(value));
        break;
    case JSON_KIND_UINT:
        json_out_uint(out, json_value_uint(value));
        break;
    case JSON_KIND_DOUBLE:
        json_out_double(out, json_value_double(value));
        break;
    case JSON_KIND_STRING:
        text = json_value_string(value, &length);
        separate(out);
        append_escaped(out, text, length);
        break;
    default:
        json_out_null(out);
        break;
    }
}

void json_out_value(struct json_out *out, struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value key;
    struct json_value element;
    if (json_value_kind(value) == JSON_KIND_ARRAY) {
        json_out_array(out);
        while (json_walk_next(&walk, &element)) {
            json_out_value(out, element);
        }
        json_out_array_end(out);
    } else if (json_value_kind(value) == JSON_KIND_OBJECT) {
        json_out_object(out);
        while (json_walk_member(&walk, &key, &element)) {
            put_leaf(out, key);
            append_text(out, out->readable ? ": " : ":");
            out->comma = false;
            json_out_value(out, element);
        }
        json_out_object_end(out);
    } else {
        put_leaf(out, value);
    }
}
