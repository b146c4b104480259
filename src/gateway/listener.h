/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LISTENER_H
#define GATEWAY_LISTENER_H

/*
 * Listener: the daemon's socket in the file system. It is made with mode 0600, never narrowed to it; wider it becomes only for
 * those who may connect (access.h). A lock file beside it ("PATH.lock") says who listens, so that one left over by a
 * dead daemon is taken over and a live one's is not. Or it was handed over: then its path and mode are somebody else's.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/message.h"
#include "gateway/access.h"

struct listener {
    char *path; /* for people too; owned. NULL: not open */
    int fd;
    int lock_fd;
    bool given;   /* handed over */
    dev_t device; /* of the socket that was made */
    ino_t inode;
};

/* Returns 0; -EADDRINUSE: another daemon listens there; or what binding met, with a sentence. */
int listener_open(const char *path, const struct access *access, struct listener *listener,
                  struct message *why);

/* One that listens already (taken). Returns 0, -ENOMEM, -EINVAL. */
int listener_open_given(int fd, struct listener *listener, struct message *why);

/* Others may connect from now on. Best effort: who may is judged by whom the kernel says it is. Returns 0 or -errno. */
int listener_set_access(const struct listener *listener, const struct access *access);

/* The socket is the caller's from now on. */
int listener_take_fd(struct listener *listener);

/* Remove the path, if the socket there is still ours. Fine at any time. */
void listener_close(struct listener *listener);

#endif
