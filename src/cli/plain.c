/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plain.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include "json/bytes.h"

#define FIRST_C1  0x80u
#define BEHIND_C1 0xa0u

static bool is_utf8;

void plain_start(void)
{
    (void)setlocale(LC_CTYPE, "");
    is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

bool plain_is_utf8(void)
{
    return is_utf8;
}

/* The character of a well-formed sequence. */
static uint32_t character_of(const char *text, size_t length)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t character = (unsigned char)text[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        character = character << 6 | ((unsigned char)text[i] & 0x3f);
    }
    return character;
}

/*
 * Those that are not seen, or turn the order of what follows around: two names would look the same, or text would not
 * stand where it seems to.
 */
static bool is_hidden(uint32_t character)
{
    static const uint32_t hidden[][2] = {
        {0x00ad, 0x00ad}, {0x061c, 0x061c}, {0x180e, 0x180e}, {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (character >= hidden[i][0] && character <= hidden[i][1]) {
            return true;
        }
    }
    return false;
}

static bool is_harmless(uint32_t character)
{
    return character >= 0x20 && character != 0x7f &&
           !(character >= FIRST_C1 && character < BEHIND_C1) && !is_hidden(character) &&
           (is_utf8 || character < FIRST_C1);
}

/* The next character: its bytes as they stand, or that they are to be one '?'. */
static size_t next_character(const char *text, size_t length, bool *ret_harmless)
{
    size_t bytes = bytes_utf8_sequence(text, length);
    *ret_harmless = bytes > 0 && is_harmless(character_of(text, bytes));
    return bytes > 0 ? bytes : 1;
}

size_t plain_copy(char *to, size_t room, const char *text, size_t length)
{
    size_t used = 0;
    for (size_t at = 0; at < length;) {
        bool harmless;
        size_t bytes = next_character(text + at, length - at, &harmless);
        size_t wanted = harmless ? bytes : 1;
        if (used + wanted >= room) {
            break;
        }
        memcpy(to + used, harmless ? text + at : "?", wanted);
        used += wanted;
        at += bytes;
    }
    if (room > 0) {
        to[used] = '\0';
    }
    return used;
}

void plain_filter(char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        bool harmless;
        size_t bytes = next_character(text + at, length - at, &harmless);
        if (!harmless && text[at] != '\n' && text[at] != '\t') {
            memset(text + at, '?', bytes);
        }
        at += bytes;
    }
}

/* Columns of the first character of plain text, and its bytes. */
static size_t columns_of(const char *text, size_t *ret_bytes)
{
    size_t bytes = bytes_utf8_sequence(text, strlen(text));
    int columns = bytes > 1 ? wcwidth((wchar_t)character_of(text, bytes)) : 1;
    *ret_bytes = bytes > 0 ? bytes : 1;
    return columns >= 0 ? (size_t)columns : 1;
}

size_t plain_fitting(const char *text, size_t columns)
{
    size_t at = 0;
    while (text[at]) {
        size_t bytes;
        size_t wanted = columns_of(text + at, &bytes);
        if (wanted > columns) {
            break;
        }
        columns -= wanted;
        at += bytes;
    }
    return at;
}

size_t plain_columns(const char *text)
{
    size_t columns = 0;
    while (*text) {
        size_t bytes;
        columns += columns_of(text, &bytes);
        text += bytes;
    }
    return columns;
}
