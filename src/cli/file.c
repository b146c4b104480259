/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

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

int file_read(const char *path, size_t bytes_max, void **ret_bytes, size_t *ret_length,
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
