/* SPDX-License-Identifier: Apache-2.0 */
#include "json/fault.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json/bytes.h"

/* Each function below reads one thing at @at, and returns NULL with @at behind it, or what is wrong there. */
struct scan {
    const char *text;
    size_t length;
    size_t at;
    uint32_t depth_left;
};

static const char *scan_value(struct scan *scan);

/* -1 at the end. */
static int peek(const struct scan *scan)
{
    return scan->at < scan->length ? (unsigned char)scan->text[scan->at] : -1;
}

static bool accept(struct scan *scan, int c)
{
    if (peek(scan) != c) {
        return false;
    }
    scan->at++;
    return true;
}

static void skip_spaces(struct scan *scan)
{
    while (scan->at < scan->length && strchr(" \t\r\n", scan->text[scan->at]) &&
           scan->text[scan->at] != '\0') {
        scan->at++;
    }
}

static size_t skip_digits(struct scan *scan)
{
    size_t start = scan->at;
    while (peek(scan) >= '0' && peek(scan) <= '9') {
        scan->at++;
    }
    return scan->at - start;
}

/* Whether a number that is well-formed can be held exactly, or as a double. */
static bool fits(const char *digits, size_t length, bool whole)
{
    char *copy = strndup(digits, length);
    bool fits_type = false;
    if (copy) {
        errno = 0;
        if (!whole) {
            fits_type = isfinite(strtod(copy, NULL));
        } else if (*copy == '-') {
            (void)strtoll(copy, NULL, 10);
            fits_type = errno == 0;
        } else {
            (void)strtoull(copy, NULL, 10);
            fits_type = errno == 0;
        }
    }
    free(copy);
    return fits_type;
}

static const char *scan_number(struct scan *scan)
{
    size_t start = scan->at;
    bool whole = true;
    (void)accept(scan, '-');
    if (!accept(scan, '0') && skip_digits(scan) == 0) {
        return "a number without digits";
    }
    if (accept(scan, '.')) {
        whole = false;
        if (skip_digits(scan) == 0) {
            return "a number that ends with its point";
        }
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        whole = false;
        scan->at++;
        (void)(accept(scan, '+') || accept(scan, '-'));
        if (skip_digits(scan) == 0) {
            return "a number without digits in its exponent";
        }
    }
    size_t end = scan->at;
    scan->at = start;
    if (!fits(scan->text + start, end - start, whole)) {
        return whole ? "an integer that does not fit 64 bits"
                     : "a number that does not fit a double";
    }
    scan->at = end;
    return NULL;
}

static const char *scan_word(struct scan *scan, const char *word)
{
    size_t length = strlen(word);
    if (scan->length - scan->at < length || memcmp(scan->text + scan->at, word, length) != 0) {
        return "a word that is none of true, false, null";
    }
    scan->at += length;
    return NULL;
}

/* The four digits of \uXXXX; -1: they are none. */
static int unicode_unit(const struct scan *scan, size_t at)
{
    int unit = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = at + i < scan->length ? bytes_hex_digit(scan->text[at + i]) : -1;
        if (digit < 0) {
            return -1;
        }
        unit = unit << 4 | digit;
    }
    return unit;
}

/* At the letter behind the backslash. */
static const char *scan_escape(struct scan *scan)
{
    int letter = peek(scan);
    if (letter != 'u') {
        scan->at += letter > 0 && strchr("\"\\/bfnrt", letter) ? 1 : 0;
        return letter > 0 && strchr("\"\\/bfnrt", letter) ? NULL
                                                          : "an escape that JSON does not know";
    }
    int high = unicode_unit(scan, scan->at + 1);
    if (high < 0) {
        return "an escape \\u without four hexadecimal digits";
    }
    if (high < 0xd800 || high > 0xdfff) {
        scan->at += 5;
        return NULL;
    }
    int low = scan->length - scan->at > 6 && memcmp(scan->text + scan->at + 5, "\\u", 2) == 0
                  ? unicode_unit(scan, scan->at + 7)
                  : -1;
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff) {
        return "half of a surrogate pair";
    }
    scan->at += 11;
    return NULL;
}

static const char *scan_string(struct scan *scan)
{
    size_t start = scan->at++;
    for (;;) {
        int c = peek(scan);
        if (c < 0) {
            scan->at = start;
            return "a string without end";
        }
        if (c < 0x20) {
            return "a control character in a string";
        }
        if (c >= 0x80) {
            size_t bytes = bytes_utf8_sequence(scan->text + scan->at, scan->length - scan->at);
            if (bytes == 0) {
                return "a string that is no UTF-8";
            }
            scan->at += bytes;
            continue;
        }
        scan->at++;
        if (c == '"') {
            return NULL;
        }
        const char *wrong = c == '\\' ? scan_escape(scan) : NULL;
        if (wrong) {
            return wrong;
        }
    }
}

static const char *scan_member(struct scan *scan)
{
    if (peek(scan) != '"') {
        return "a member of an object without a key";
    }
    const char *wrong = scan_string(scan);
    if (wrong) {
        return wrong;
    }
    skip_spaces(scan);
    return accept(scan, ':') ? scan_value(scan) : "a key without a colon";
}

/* All up to @close, which is not yet there. */
static const char *scan_elements(struct scan *scan, int close)
{
    skip_spaces(scan);
    if (accept(scan, close)) {
        return NULL;
    }
    for (;;) {
        skip_spaces(scan);
        const char *wrong = close == '}' ? scan_member(scan) : scan_value(scan);
        if (wrong) {
            return wrong;
        }
        skip_spaces(scan);
        if (accept(scan, close)) {
            return NULL;
        }
        if (!accept(scan, ',')) {
            return peek(scan) < 0 ? "an end in the middle"
                   : close == '}' ? "something other than ',' or '}' in an object"
                                  : "something other than ',' or ']' in an array";
        }
    }
}

static const char *scan_container(struct scan *scan)
{
    if (scan->depth_left == 0) {
        return "nesting too deep";
    }
    scan->depth_left--;
    const char *wrong = scan_elements(scan, accept(scan, '{') ? '}' : (scan->at++, ']'));
    scan->depth_left++;
    return wrong;
}

static const char *scan_value(struct scan *scan)
{
    skip_spaces(scan);
    int c = peek(scan);
    switch (c) {
    case '{':
    case '[':
        return scan_container(scan);
    case '"':
        return scan_string(scan);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    default:
        return c < 0                                ? "an end where a value is wanted"
               : c == '-' || (c >= '0' && c <= '9') ? scan_number(scan)
                                                    : "something that begins no value";
    }
}

const char *fault_find(const char *text, size_t length, uint32_t nesting_max, size_t *ret_at)
{
    struct scan scan = {.text = text, .length = length, .depth_left = nesting_max};
    const char *wrong = scan_value(&scan);
    if (!wrong) {
        skip_spaces(&scan);
        wrong = scan.at < length ? "more behind the value" : NULL;
    }
    *ret_at = scan.at;
    return wrong;
}
