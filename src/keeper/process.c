/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define INFO_BYTES 512

static int read_text(int directory, const char *path, char *text, size_t bytes)
{
    OWN_FD fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, bytes - 1);
    if (length < 0) {
        return -errno;
    }
    text[length] = '\0';
    return 0;
}

/* A pidfd says which number its process has in the /proc that is read. */
static int outer_number(int pidfd)
{
    char path[48];
    char info[INFO_BYTES];
    (void)snprintf(path, sizeof path, "/proc/thread-self/fdinfo/%d", pidfd);
    int r = read_text(AT_FDCWD, path, info, sizeof info);
    const char *line = r < 0 ? NULL : strstr(info, "\nPid:");
    long number = line ? strtol(line + strlen("\nPid:"), NULL, 10) : 0;
    return number > 0 ? (int)number : r < 0 ? r : -ESRCH;
}

int process_open(int pidfd)
{
    char path[32];
    int number = outer_number(pidfd);
    if (number < 0) {
        return number;
    }
    (void)snprintf(path, sizeof path, "/proc/%d", number);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int process_resident(int pidfd, uint64_t *ret_bytes)
{
    char text[INFO_BYTES];
    OWN_FD process = process_open(pidfd);
    int r = process < 0 ? process : read_text(process, "statm", text, sizeof text);
    if (r < 0) {
        return r;
    }
    char *resident = strchr(text, ' ');
    if (!resident) {
        return -EBADMSG;
    }
    *ret_bytes = strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}
