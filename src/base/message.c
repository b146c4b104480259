/* SPDX-License-Identifier: Apache-2.0 */
#include "base/message.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#undef message_set /* there is a macro for the analyzer */
int message_set(struct message *why, int error, const char *format, ...)
{
    if (why) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(why->text, sizeof why->text, format, args);
        va_end(args);
    }
    return error;
}

void message_add(struct message *why, const char *format, ...)
{
    if (!why) {
        return;
    }
    size_t used = strnlen(why->text, sizeof why->text - 1);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why->text + used, sizeof why->text - used, format, args);
    va_end(args);
}

/* Length of the well-formed UTF-8 sequence at @bytes, or 0. */
static size_t utf8_sequence(const unsigned char *bytes, size_t length)
{
    size_t need = bytes[0] >= 0xf0 && bytes[0] <= 0xf4   ? 4
                  : bytes[0] >= 0xe0 && bytes[0] <= 0xef ? 3
                  : bytes[0] >= 0xc2 && bytes[0] <= 0xdf ? 2
                                                         : 0;
    if (need == 0 || need > length) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return need;
}

void message_set_foreign(struct message *why, const char *bytes, size_t length)
{
    if (!why) {
        return;
    }
    size_t out = 0;
    for (size_t i = 0; i < length && bytes[i] && out + 4 < sizeof why->text;) {
        unsigned char c = (unsigned char)bytes[i];
        size_t sequence =
            c < 0x80 ? 1 : utf8_sequence((const unsigned char *)bytes + i, length - i);
        if (sequence <= 1) {
            bool plain = sequence == 1 && (c == '\n' || (c >= 0x20 && c != 0x7f));
            why->text[out++] = plain ? (char)c : '?';
            i++;
            continue;
        }
        memcpy(why->text + out, bytes + i, sequence);
        out += sequence;
        i += sequence;
    }
    why->text[out] = '\0';
}
