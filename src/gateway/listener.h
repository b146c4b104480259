/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LISTENER_H
#define GATEWAY_LISTENER_H

/*
 * Listener: the daemon's socket in the file system. It is made with mode 0600, never changed to it; a lock
 * file beside it ("PATH.lock") says who listens, so that one left over by a dead daemon is taken over and a live
 * one's is not.
 */

#include "base/message.h"

struct listener {
    char *path;
    int fd;
    int lock_fd;
};

/* Returns 0; -EADDRINUSE: another daemon listens there; or what binding met, with a sentence. */
int listener_open(const char *path, struct listener *listener, struct message *why);

/* The socket is the caller's from now on. */
int listener_take_fd(struct listener *listener);

/* Remove the path, if it is still ours. Fine at any time. */
void listener_close(struct listener *listener);

#endif
