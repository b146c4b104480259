/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FD_H
#define BASE_FD_H

/* File descriptors with an owner: OWN_FD closes at the end of its scope unless taken. */

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

#define OWN_FD __attribute__((cleanup(fd_release))) int

#endif
