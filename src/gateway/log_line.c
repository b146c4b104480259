/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/log_line.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "json/json_out.h"

#define TEXT_BYTES 3000u /* of one text in JSON */

static const char *const level_names[] = {"error", "warning", "notice", "debug"};

/* Length of the character at @text, and which one; 0: no UTF-8. */
static size_t character_at(const uint8_t *text, size_t length, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = text[0] < 0x80             ? 1
                   : (text[0] & 0xE0) == 0xC0 ? 2
                   : (text[0] & 0xF0) == 0xE0 ? 3
                   : (text[0] & 0xF8) == 0xF0 ? 4
                                              : 0;
    if (bytes == 0 || bytes > length) {
        return 0;
    }
    uint32_t code = bytes == 1 ? text[0] : text[0] & (0x7Fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3Fu);
    }
    *ret_code = code;
    return code < least[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0 : bytes;
}

/* A terminal would do something, or show the line other than it is. */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x61C || code == 0x200E ||
           code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

size_t log_escape(const char *text, bool keep_lines, char *out, size_t room)
{
    size_t length = strlen(text);
    const uint8_t *bytes = (const uint8_t *)text;
    size_t written = 0;
    for (size_t at = 0; at < length;) {
        char escaped[8];
        uint32_t code = 0;
        size_t taken = character_at(bytes + at, length - at, &code);
        const char *piece = text + at;
        size_t piece_length = taken;
        if (taken == 0 || (is_unsafe(code) && !(keep_lines && code == '\n'))) {
            bool is_byte = taken == 0 || code < 0x80;
            if (code == '\n') {
                (void)snprintf(escaped, sizeof escaped, "\\n");
            } else {
                (void)snprintf(escaped, sizeof escaped, is_byte ? "\\x%02x" : "\\u%04x",
                               is_byte ? bytes[at] : (unsigned)code);
            }
            piece = escaped;
            piece_length = strlen(escaped);
        }
        if (written + piece_length >= room) {
            break;
        }
        memcpy(out + written, piece, piece_length);
        written += piece_length;
        at += taken > 0 ? taken : 1;
    }
    out[written] = '\0';
    return written;
}

/* RFC 3339, in UTC, to the millisecond. */
static void write_time(struct timespec when, char text[40])
{
    struct tm date;
    char seconds[24];
    (void)gmtime_r(&when.tv_sec, &date);
    (void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &date);
    (void)snprintf(text, 40, "%s.%03ldZ", seconds, when.tv_nsec / 1000000);
}

size_t log_line_text(const struct log_event *event, bool coloured, char line[LOG_LINE_BYTES])
{
    static const char *const colours[] = {"\033[31m", "\033[33m", "", "\033[2m"};
    char when[40];
    char cell[256] = "";
    char sentence[LOG_LINE_BYTES - 512];
    const char *colour = coloured ? colours[event->level] : "";
    write_time(event->when, when);
    if (event->cell) {
        (void)log_escape(event->cell, false, cell, sizeof cell);
    }
    (void)log_escape(event->sentence, false, sentence, sizeof sentence);
    int length = snprintf(line, LOG_LINE_BYTES, "%s%.12s %s%s%s%s\n", colour, when + 11, cell,
                          event->cell ? ": " : "", sentence, colour[0] ? "\033[0m" : "");
    return (size_t)length; /* it fits: what it is made of is bounded */
}

static void put_text(struct json_out *out, const char *key, const char *text)
{
    char clean[TEXT_BYTES];
    (void)log_escape(text, true, clean, sizeof clean);
    json_out_key(out, key);
    json_out_string(out, clean);
}

static void put_fields(struct json_out *out, const struct log_field *fields)
{
    for (; fields && fields->key; fields++) {
        if (fields->text) {
            put_text(out, fields->key, fields->text);
        } else {
            json_out_key(out, fields->key);
            json_out_int(out, fields->number);
        }
    }
}

size_t log_line_json(const struct log_event *event, char line[LOG_LINE_BYTES])
{
    struct json_out out = {.length_max = LOG_LINE_BYTES - 1};
    char when[40];
    write_time(event->when, when);
    json_out_object(&out);
    put_text(&out, "time", when);
    put_text(&out, "level", level_names[event->level]);
    put_text(&out, "event", event->event);
    if (event->cell) {
        put_text(&out, "cell", event->cell);
    }
    put_fields(&out, event->fields);
    put_text(&out, "message", event->sentence);
    json_out_object_end(&out);
    const char *text = json_out_text(&out);
    size_t length = text ? out.length : 0;
    if (text) {
        memcpy(line, text, length);
        line[length++] = '\n';
    }
    json_out_deinit(&out);
    return length;
}
