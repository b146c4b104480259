/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"

/* Bytes of the UTF-8 sequence at @text, 0 if it is none. Source: RFC 3629, section 4. */
static size_t utf8_sequence(const unsigned char *text, size_t length)
{
    unsigned char lead = text[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || bytes > length) {
        return 0;
    }
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return bytes;
}

bool bytes_are_utf8(const char *text, size_t length)
{
    size_t step = 0;
    for (size_t i = 0; i < length; i += step) {
        step = utf8_sequence((const unsigned char *)text + i, length - i);
        if (step == 0) {
            return false;
        }
    }
    return true;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void bytes_to_base64(const void *bytes, size_t length, char *ret_text)
{
    const uint8_t *in = bytes;
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                         (left > 2 ? in[i + 2] : 0);
        *ret_text++ = base64_digits[group >> 18];
        *ret_text++ = base64_digits[group >> 12 & 63];
        *ret_text++ = (char)(left > 1 ? base64_digits[group >> 6 & 63] : '=');
        *ret_text++ = (char)(left > 2 ? base64_digits[group & 63] : '=');
    }
}

static int hex_digit(char c)
{
    if (!isxdigit((unsigned char)c)) {
        return -1;
    }
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static int base64_digit(char c)
{
    const char *found = c ? strchr(base64_digits, c) : NULL;
    return found ? (int)(found - base64_digits) : c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Digits of @bits each to bytes. Returns how many bits are left over, or -EINVAL at a foreign one. */
static int decode_digits(const char *text, size_t length, unsigned bits, int (*digit_of)(char),
                         uint8_t *bytes, size_t *ret_length, struct message *why)
{
    uint32_t group = 0;
    unsigned have = 0;
    size_t filled = 0;
    for (size_t i = 0; i < length; i++) {
        if (isspace((unsigned char)text[i])) {
            continue;
        }
        int digit = digit_of(text[i]);
        if (digit < 0) {
            return message_set(why, -EINVAL, "character %zu is no %s digit", i + 1,
                               bits == 4 ? "hexadecimal" : "base64");
        }
        group = group << bits | (uint32_t)digit;
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

int bytes_from_hex(const char *text, size_t length, void **ret_bytes, size_t *ret_length,
                   struct message *why)
{
    uint8_t *bytes = malloc(length / 2 + 1);
    if (!bytes) {
        return -ENOMEM;
    }
    int r = decode_digits(text, length, 4, hex_digit, bytes, ret_length, why);
    if (r > 0) {
        r = message_set(why, -EINVAL, "an odd number of hexadecimal digits");
    }
    if (r < 0) {
        free(bytes);
        return r;
    }
    *ret_bytes = bytes;
    return 0;
}

int bytes_from_base64(const char *text, size_t length, void **ret_bytes, size_t *ret_length,
                      struct message *why)
{
    for (int padding = 0; padding < 2 && length > 0 && text[length - 1] == '='; padding++) {
        length--;
    }
    uint8_t *bytes = malloc(length / 4 * 3 + 4);
    if (!bytes) {
        return -ENOMEM;
    }
    int r = decode_digits(text, length, 6, base64_digit, bytes, ret_length, why);
    if (r == 6) {
        r = message_set(why, -EINVAL, "base64 ends in the middle of a byte");
    }
    if (r < 0) {
        free(bytes);
        return r;
    }
    *ret_bytes = bytes;
    return 0;
}

static int read_all(int fd, const char *path, size_t bytes_max, uint8_t **buffer,
                    size_t *ret_length, struct message *why)
{
    size_t room = 0;
    size_t length = 0;
    for (;;) {
        if (length == room) {
            room = room == 0 ? 64u << 10 : room * 2;
            uint8_t *larger = realloc(*buffer, room);
            if (!larger) {
                return message_set(why, -ENOMEM, "no memory for '%s'", path);
            }
            *buffer = larger;
        }
        ssize_t n = read(fd, *buffer + length, room - length);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return message_set(why, -errno, "cannot read '%s': %s", path, strerror(errno));
        }
        if (n == 0) {
            *ret_length = length;
            return 0;
        }
        length += (size_t)n;
        if (length > bytes_max) {
            return message_set(why, -EFBIG, "'%s' has more than %zu bytes, the most of one call",
                               path, bytes_max);
        }
    }
}

int bytes_from_file(const char *path, size_t bytes_max, void **ret_bytes, size_t *ret_length,
                    struct message *why)
{
    static bool taken; /* as standard input itself, one for the process */
    bool standard_input = strcmp(path, "-") == 0;
    if (standard_input && taken) {
        return message_set(why, -EINVAL, "standard input can be read once, and was");
    }
    taken |= standard_input;
    OWN_FD opened = standard_input ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    int fd = standard_input ? STDIN_FILENO : opened;
    if (fd < 0) {
        return message_set(why, -errno, "cannot open '%s': %s", path, strerror(errno));
    }
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
        (uint64_t)status.st_size > bytes_max) {
        return message_set(why, -EFBIG, "'%s' has %lld bytes; one call carries at most %zu", path,
                           (long long)status.st_size, bytes_max);
    }
    uint8_t *buffer = NULL;
    int r = read_all(fd, path, bytes_max, &buffer, ret_length, why);
    if (r < 0) {
        free(buffer);
        return r;
    }
    *ret_bytes = buffer;
    return 0;
}
