/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "gateway/limits.h"

#define LOCK_SUFFIX ".lock"

/* Held as long as the daemon lives: whoever has it may remove a socket that is in the way. */
static int take_lock(struct listener *listener, struct message *why)
{
    char path[sizeof(struct sockaddr_un) + sizeof LOCK_SUFFIX];
    (void)snprintf(path, sizeof path, "%s" LOCK_SUFFIX, listener->path);
    listener->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (listener->lock_fd < 0) {
        return message_set(why, -errno, "cannot make %s: %s", path, strerror(errno));
    }
    if (flock(listener->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK
                   ? message_set(why, -EADDRINUSE, "another daemon listens at %s", listener->path)
                   : message_set(why, -errno, "cannot lock %s: %s", path, strerror(errno));
    }
    return 0;
}

/*
 * Whether nobody listens at the socket that is there: 0 nobody, -EADDRINUSE somebody (who knows nothing of the lock), else why it
 * cannot be told.
 */
static int ask_whether_dead(const struct sockaddr_un *address)
{
    OWN_FD probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return -errno;
    }
    if (connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN ||
        errno == EPROTOTYPE) { /* it is full, or another kind of socket */
        return -EADDRINUSE;
    }
    return errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
}

static int remove_stale(const struct sockaddr_un *address, struct message *why)
{
    struct stat there;
    if (lstat(address->sun_path, &there) < 0) {
        return 0;
    }
    if (!S_ISSOCK(there.st_mode)) {
        return message_set(why, -EEXIST, "%s is there, and is no socket", address->sun_path);
    }
    int r = ask_whether_dead(address);
    if (r == -EADDRINUSE) {
        return message_set(why, r, "somebody listens at %s", address->sun_path);
    }
    if (r != 0) {
        return message_set(why, r, "cannot tell whether somebody listens at %s: %s",
                           address->sun_path, strerror(-r));
    }
    return unlink(address->sun_path) == 0 || errno == ENOENT
               ? 0
               : message_set(why, -errno, "cannot remove the stale socket %s: %s",
                             address->sun_path, strerror(errno));
}

static int bind_private(struct listener *listener, const struct sockaddr_un *address,
                        struct message *why)
{
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0) {
        return message_set(why, -errno, "cannot make a socket: %s", strerror(errno));
    }
    mode_t before = umask(0177); /* no other thread runs yet */
    int r = bind(listener->fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : -errno;
    (void)umask(before);
    return r == 0 ? 0 : message_set(why, r, "cannot bind %s: %s", address->sun_path, strerror(-r));
}

int listener_open(const char *path, struct listener *listener, struct message *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *listener = (struct listener){.fd = -1, .lock_fd = -1};
    if (strlen(path) >= sizeof address.sun_path) {
        return message_set(why, -ENAMETOOLONG, "the socket's path is longer than %zu bytes: %s",
                           sizeof address.sun_path - 1, path);
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    listener->path = strdup(path);
    int r =
        listener->path ? take_lock(listener, why) : message_set(why, -ENOMEM, "not enough memory");
    r = r != 0 ? r : remove_stale(&address, why);
    r = r != 0 ? r : bind_private(listener, &address, why);
    if (r != 0) {
        fd_release(&listener->fd);
        fd_release(&listener->lock_fd);
        free(listener->path);
        listener->path = NULL;
    }
    return r;
}

int listener_take_fd(struct listener *listener)
{
    return take_fd(&listener->fd);
}

void listener_close(struct listener *listener)
{
    if (listener->path) {
        (void)unlink(listener->path); /* the lock is ours: so is the path */
    }
    free(listener->path);
    listener->path = NULL;
    fd_release(&listener->fd);
    fd_release(&listener->lock_fd);
}
