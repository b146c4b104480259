/* SPDX-License-Identifier: Apache-2.0 */
#include "report/base64.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_new(const void *bytes, size_t length)
{
    const uint8_t *in = bytes;
    char *text = malloc((length + 2) / 3 * 4 + 1);
    char *out = text;
    for (size_t i = 0; text && i < length; i += 3) {
        uint32_t left = length - i < 3 ? (uint32_t)(length - i) : 3;
        uint32_t three = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                         (left > 2 ? in[i + 2] : 0);
        *out++ = digits[three >> 18];
        *out++ = digits[three >> 12 & 63];
        *out++ = left > 1 ? digits[three >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[three & 63] : '=';
    }
    if (text) {
        *out = '\0';
    }
    return text;
}

uint8_t *base64_read(const char *text, size_t length, size_t *ret_length)
{
    uint8_t *bytes =
        length % 4 == 0 ? aligned_alloc(16, (length / 4 * 3 + 16) & ~(size_t)15) : NULL;
    size_t at = 0;
    for (size_t i = 0; bytes && i < length; i += 4) {
        uint32_t three = 0;
        uint32_t padding = 0;
        for (size_t j = 0; j < 4; j++) {
            const char *digit = text[i + j] ? strchr(digits, text[i + j]) : NULL;
            bool pad = text[i + j] == '=' && i + 4 == length && j >= 2;
            if ((!digit && !pad) || (digit && padding > 0)) {
                free(bytes);
                return NULL;
            }
            padding += pad ? 1 : 0;
            three = three << 6 | (digit ? (uint32_t)(digit - digits) : 0);
        }
        for (uint32_t j = 0; j < 3 - padding; j++) {
            bytes[at++] = (uint8_t)(three >> (16 - 8 * j));
        }
    }
    *ret_length = at;
    return bytes;
}
