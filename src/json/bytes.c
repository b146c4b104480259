/* SPDX-License-Identifier: Apache-2.0 */
#include "json/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define HIGH_BITS 0x8080808080808080u

/* Source: RFC 3629, section 4. */
size_t bytes_utf8_sequence(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned char lead = bytes[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t count = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || count > length) {
        return 0;
    }
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < low || bytes[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < count; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return count;
}

/* Bytes at @text that are ASCII, in steps of eight: most text is. */
static size_t ascii_span(const char *text, size_t length)
{
    size_t i = 0;
    for (; length - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text + i, sizeof word);
        if (word & HIGH_BITS) {
            break;
        }
    }
    return i;
}

bool bytes_are_utf8(const char *text, size_t length)
{
    size_t i = ascii_span(text, length);
    while (i < length) {
        size_t step = bytes_utf8_sequence(text + i, length - i);
        if (step == 0) {
            return false;
        }
        i += step;
        i += step > 1 ? ascii_span(text + i, length - i) : 0;
    }
    return true;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex_digits[] = "0123456789abcdef";

static void encode_tail(const uint8_t *in, size_t left, char *ret_text)
{
    uint32_t group = (uint32_t)in[0] << 16 | (left > 1 ? (uint32_t)in[1] << 8 : 0);
    ret_text[0] = base64_digits[group >> 18];
    ret_text[1] = base64_digits[group >> 12 & 63];
    ret_text[2] = (char)(left > 1 ? base64_digits[group >> 6 & 63] : '=');
    ret_text[3] = '=';
}

void bytes_to_base64(const void *bytes, size_t length, char *ret_text)
{
    const uint8_t *in = bytes;
    for (; length >= 3; length -= 3, in += 3) {
        uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *ret_text++ = base64_digits[group >> 18];
        *ret_text++ = base64_digits[group >> 12 & 63];
        *ret_text++ = base64_digits[group >> 6 & 63];
        *ret_text++ = base64_digits[group & 63];
    }
    if (length > 0) {
        encode_tail(in, length, ret_text);
    }
}

void bytes_to_hex(const void *bytes, size_t length, char *ret_text)
{
    const uint8_t *in = bytes;
    for (size_t i = 0; i < length; i++) {
        *ret_text++ = hex_digits[in[i] >> 4];
        *ret_text++ = hex_digits[in[i] & 15];
    }
}

/* Value + 1 of each digit, so that those which are none are 0. */
static const uint8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

static const uint8_t base64_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
    ['-'] = 63, ['_'] = 64,
};

int bytes_hex_digit(char c)
{
    return hex_values[(unsigned char)c] - 1;
}

/*
 * Digits of @bits each to bytes, any that lie among spaces. Returns how many bits are left over, or
 * -EINVAL at a foreign one.
 */
static int decode_digits(const char *text, size_t length, size_t start, const uint8_t values[256],
                         unsigned bits, uint8_t *bytes, size_t *ret_length, struct message *why)
{
    uint32_t group = 0;
    unsigned have = 0;
    size_t filled = *ret_length;
    for (size_t i = start; i < length; i++) {
        uint8_t value = values[(unsigned char)text[i]];
        if (value == 0 && isspace((unsigned char)text[i])) {
            continue;
        }
        if (value == 0) {
            return message_set(why, -EINVAL, "character %zu is no %s digit", i + 1,
                               bits == 4 ? "hexadecimal" : "base64");
        }
        group = group << bits | (uint32_t)(value - 1);
        have += bits;
        if (have >= 8) {
            have -= 8;
            bytes[filled++] = (uint8_t)(group >> have);
            group &= (1u << have) - 1;
        }
    }
    *ret_length = filled;
    return (int)have;
}

int bytes_from_hex(const char *text, size_t length, void *ret_bytes, size_t *ret_length,
                   struct message *why)
{
    *ret_length = 0;
    int r = decode_digits(text, length, 0, hex_values, 4, ret_bytes, ret_length, why);
    return r > 0 ? message_set(why, -EINVAL, "an odd number of hexadecimal digits") : r;
}

/* Groups of four digits with nothing between them: how base64 comes. Returns the characters read. */
static size_t decode_groups(const char *text, size_t length, uint8_t *bytes)
{
    size_t i = 0;
    for (; length - i >= 4; i += 4) {
        uint32_t a = base64_values[(unsigned char)text[i]];
        uint32_t b = base64_values[(unsigned char)text[i + 1]];
        uint32_t c = base64_values[(unsigned char)text[i + 2]];
        uint32_t d = base64_values[(unsigned char)text[i + 3]];
        if (!a || !b || !c || !d) {
            break;
        }
        uint32_t group = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        *bytes++ = (uint8_t)(group >> 16);
        *bytes++ = (uint8_t)(group >> 8);
        *bytes++ = (uint8_t)group;
    }
    return i;
}

int bytes_from_base64(const char *text, size_t length, void *ret_bytes, size_t *ret_length,
                      struct message *why)
{
    for (int padding = 0; padding < 2 && length > 0 && text[length - 1] == '='; padding++) {
        length--;
    }
    size_t start = decode_groups(text, length, ret_bytes);
    *ret_length = start / 4 * 3;
    int r = decode_digits(text, length, start, base64_values, 6, ret_bytes, ret_length, why);
    return r == 6  ? message_set(why, -EINVAL, "base64 ends in the middle of a byte")
           : r < 0 ? r
                   : 0;
}
