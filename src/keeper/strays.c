/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/strays.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define STATUS_BYTES 4096

/* Read /proc/<process>/status. Returns its NSpid line from the first tab on, or NULL: reaped. */
static char *namespace_ids(int process_fd, char *text)
{
    OWN_FD fd = openat(process_fd, "status", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, STATUS_BYTES - 1);
    if (length <= 0) {
        return NULL;
    }
    text[length] = '\0';
    char *line = strstr(text, "\nNSpid:\t");
    char *end = line ? strchr(line + 1, '\n') : NULL;
    if (!end) {
        return NULL;
    }
    *end = '\0';
    return strchr(line, '\t');
}

/* PID namespaces between that of /proc and ours: /proc may be of an outer one. */
static int own_depth(void)
{
    char text[STATUS_BYTES];
    OWN_FD self = open("/proc/self", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    const char *ids = self < 0 ? NULL : namespace_ids(self, text);
    int depth = 0;
    while (ids) {
        depth++;
        ids = strchr(ids + 1, '\t');
    }
    return depth;
}

/* The process's id as we see ids: a stray may live in a namespace of its own, deeper than ours. */
static int own_id_of(int process_fd, int depth)
{
    char text[STATUS_BYTES];
    const char *ids = namespace_ids(process_fd, text);
    for (int i = 1; ids && i < depth; i++) {
        ids = strchr(ids + 1, '\t');
    }
    return ids ? (int)strtol(ids + 1, NULL, 10) : 0;
}

/*
 * A folder of /proc names a process as a pidfd does: what dies meanwhile is not mistaken. A zombie
 * counts until it is reaped: threads of it may live on.
 */
static int kill_unless_worker(const char *name, int depth,
                              bool (*is_worker)(void *context, int pid), void *context)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%.16s", name);
    OWN_FD process = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    int pid = process < 0 ? 0 : own_id_of(process, depth);
    if (pid == 0 || is_worker(context, pid)) {
        return 0;
    }
    (void)syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0);
    return 1;
}

int strays_kill(bool (*is_worker)(void *context, int pid), void *context)
{
    char list[64 * 1024];
    OWN_FD fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, list, sizeof list - 1);
    if (length < 0) {
        return -errno;
    }
    list[length] = '\0';
    int found = 0;
    int depth = own_depth();
    char *rest = list;
    for (char *name = strtok_r(rest, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        found += kill_unless_worker(name, depth, is_worker, context);
    }
    return found;
}
