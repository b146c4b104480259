/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bytes.h"

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

static void append_text(struct json_out *out, const char *text)
{
    append(out, text, strlen(text));
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

void json_out_int(struct json_out *out, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    put(out, text);
}

void json_out_uint(struct json_out *out, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    put(out, text);
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

static void append_escaped(struct json_out *out, const char *value, size_t length)
{
    static const char shorts[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    append_text(out, "\"");
    size_t plain = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            continue;
        }
        append(out, value + plain, i - plain);
        plain = i + 1;
        const char *found = c ? strchr(shorts, c) : NULL;
        char escape[8];
        if (found) {
            snprintf(escape, sizeof escape, "\\%c", letters[found - shorts]);
        } else {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
        }
        append_text(out, escape);
    }
    append(out, value + plain, length - plain);
    append_text(out, "\"");
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
