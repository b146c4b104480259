/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FD_H
#define BASE_FD_H

/* File descriptors with an owner: OWN_FD closes at the end of its scope unless taken. */

#include <sys/resource.h>
#include <unistd.h>

static inline void fd_release(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/*
 * As many descriptors as this process may have: the soft limit is made for programs that use select(), and each
 * worker costs several, in keeper and host. For programs of our own; best effort.
 */
static inline void fd_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

#define OWN_FD __attribute__((cleanup(fd_release))) int

#endif
