/* SPDX-License-Identifier: Apache-2.0 */
#include "report/headline.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 32u
#define DEPTH_MAX 64u

/*
 * How it works. The text is gone through once, byte by byte; `keys` are the names under which the present place
 * stands, of the first two depths. Where the text is cut, or is no JSON, reading ends: what was found until then
 * is the headline.
 */

struct scan {
    const char *at;
    const char *end;
    uint32_t depth;
    bool is_array[DEPTH_MAX];
    char keys[2][KEY_BYTES]; /* of depth 1 and 2 */
};

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && isspace((unsigned char)*scan->at)) {
        scan->at++;
    }
}

/* After \u: a character of ASCII, or '?'; the second half of a pair is nothing. */
static int unicode(struct scan *scan)
{
    char digits[5] = "";
    char *end;
    if (scan->end - scan->at < 4) {
        scan->at = scan->end;
        return '?';
    }
    memcpy(digits, scan->at, 4);
    scan->at += 4;
    unsigned long code = strtoul(digits, &end, 16);
    bool low_half = code >= 0xdc00 && code < 0xe000;
    return end != digits + 4 ? '?' : low_half ? -1 : code >= 0x20 && code < 0x7f ? (int)code : '?';
}

static int escaped(struct scan *scan)
{
    char letter = scan->at < scan->end ? *scan->at++ : '?';
    switch (letter) {
    case 'u':
        return unicode(scan);
    case '"':
    case '\\':
    case '/':
        return letter;
    default:
        return '?'; /* a control character */
    }
}

/* The string behind its first quote, cut to @size. False: it does not end. */
static bool take_string(struct scan *scan, char *text, size_t size)
{
    size_t length = 0;
    while (scan->at < scan->end && *scan->at != '"') {
        unsigned char byte = (unsigned char)*scan->at++;
        int letter = byte == '\\' ? escaped(scan) : byte < 0x20 || byte == 0x7f ? '?' : byte;
        if (letter >= 0 && length + 1 < size) {
            text[length++] = (char)letter;
        }
    }
    text[length] = '\0';
    return scan->at < scan->end && *scan->at++ == '"';
}

static bool is_at(const struct scan *scan, const char *first, const char *second)
{
    return scan->depth == (second ? 2u : 1u) && !scan->is_array[scan->depth - 1] &&
           strcmp(scan->keys[0], first) == 0 && (!second || strcmp(scan->keys[1], second) == 0);
}

static bool take_text(struct scan *scan, struct headline *headline)
{
    char other[8];
    if (is_at(scan, "what", NULL)) {
        return take_string(scan, headline->what, sizeof headline->what);
    }
    if (is_at(scan, "summary", NULL)) {
        return take_string(scan, headline->summary, sizeof headline->summary);
    }
    if (is_at(scan, "cell", "library")) {
        return take_string(scan, headline->library, sizeof headline->library);
    }
    if (is_at(scan, "call", "function")) {
        return take_string(scan, headline->function, sizeof headline->function);
    }
    return take_string(scan, other, sizeof other);
}

/* A number, true, false or null. */
static bool take_literal(struct scan *scan, struct headline *headline)
{
    char text[24] = "";
    size_t length = strcspn(scan->at, ",]} \t\r\n");
    size_t left = (size_t)(scan->end - scan->at);
    length = length < left ? length : left;
    if (length == 0) {
        return false;
    }
    memcpy(text, scan->at, length < sizeof text - 1 ? length : sizeof text - 1);
    scan->at += length;
    if (is_at(scan, "when_ns", NULL)) {
        headline->when_ns = strtoull(text, NULL, 10);
    } else if (is_at(scan, "ended", NULL)) {
        headline->ended = strcmp(text, "true") == 0;
    }
    return true;
}

/* A member's name, where one stands. */
static bool take_key(struct scan *scan)
{
    char other[KEY_BYTES];
    char *key = scan->depth <= 2 ? scan->keys[scan->depth - 1] : other;
    scan->at++;
    if (!take_string(scan, key, KEY_BYTES)) {
        return false;
    }
    skip_space(scan);
    return scan->at < scan->end && *scan->at++ == ':';
}

static bool open_group(struct scan *scan, bool is_array)
{
    if (scan->depth == DEPTH_MAX) {
        return false;
    }
    scan->is_array[scan->depth++] = is_array;
    scan->at++;
    return true;
}

/* One value, opening bracket, or closing bracket with what separates. False: the end. */
static bool step(struct scan *scan, struct headline *headline, bool *wants_key)
{
    skip_space(scan);
    if (scan->at >= scan->end) {
        return false;
    }
    switch (*scan->at) {
    case '{':
        *wants_key = true;
        return open_group(scan, false);
    case '[':
        *wants_key = false;
        return open_group(scan, true);
    case '}':
    case ']':
        scan->at++;
        return scan->depth-- > 1;
    case ',':
        scan->at++;
        *wants_key = scan->depth > 0 && !scan->is_array[scan->depth - 1];
        return true;
    case '"':
        if (*wants_key) {
            *wants_key = false;
            return scan->depth > 0 && take_key(scan);
        }
        scan->at++;
        return take_text(scan, headline);
    default:
        return take_literal(scan, headline);
    }
}

int headline_read(const char *json, size_t length, struct headline *ret_headline)
{
    static const char begins[] = "{\"cordon_report\":1";
    struct scan scan = {0};
    bool wants_key = false;
    size_t matched = 0;
    /* Compared without spaces, which writers differ in. */
    for (size_t i = 0; i < length && begins[matched]; i++) {
        if (isspace((unsigned char)json[i])) {
            continue;
        }
        if (json[i] != begins[matched++]) {
            return -EBADMSG;
        }
    }
    char *copy = begins[matched] ? NULL : malloc(length + 1);
    if (!copy) {
        return begins[matched] ? -EBADMSG : -ENOMEM;
    }
    memcpy(copy, json, length);
    copy[length] = '\0';
    scan.at = copy;
    scan.end = copy + length;
    *ret_headline = (struct headline){0};
    while (step(&scan, ret_headline, &wants_key)) {
    }
    free(copy);
    return 0;
}
