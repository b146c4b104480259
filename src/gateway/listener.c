/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "config/folder.h"
#include "gateway/gateway_limits.h"

#define LOCK_SUFFIX ".lock"

/*
 * In a directory like /tmp anybody can have made it first, to keep the daemon from starting, or to have it lock what is
 * theirs.
 */
static bool is_private_file(int fd)
{
    struct stat there;
    return fstat(fd, &there) == 0 && S_ISREG(there.st_mode) && there.st_nlink == 1 &&
           there.st_uid == geteuid() && (there.st_mode & 077) == 0;
}

/* Held as long as the daemon lives: whoever has it may remove a socket that is in the way. */
static int take_lock(struct listener *listener, struct message *why)
{
    char path[sizeof(struct sockaddr_un) + sizeof LOCK_SUFFIX];
    (void)snprintf(path, sizeof path, "%s" LOCK_SUFFIX, listener->path);
    listener->lock_fd =
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (listener->lock_fd < 0) {
        return errno == EACCES || errno == ELOOP || errno == EISDIR || errno == ENXIO
                   ? message_set(why, -errno,
                                 "cannot open %s: %s. If it is there, it is not this user's file",
                                 path, strerror(errno))
                   : message_set(why, -errno, "cannot make %s: %s", path, strerror(errno));
    }
    if (!is_private_file(listener->lock_fd)) {
        return message_set(
            why, -EPERM,
            "%s is not this user's own file (mode 0600, one link): somebody else may "
            "have made it. Remove it, or listen in a private directory",
            path);
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
    struct stat made;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0) {
        return message_set(why, -errno, "cannot make a socket: %s", strerror(errno));
    }
    mode_t before = umask(0177); /* no other thread makes files yet */
    int r = bind(listener->fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : -errno;
    (void)umask(before);
    if (r == 0 && lstat(address->sun_path, &made) < 0) {
        r = -errno;
    }
    if (r != 0) {
        return message_set(why, r, "cannot bind %s: %s", address->sun_path, strerror(-r));
    }
    listener->device = made.st_dev;
    listener->inode = made.st_ino;
    return 0;
}

/* The socket that was made, by a descriptor that allows nothing but to change it; -1: it is gone, or another's. */
static int find_made(const struct listener *listener)
{
    struct stat there;
    OWN_FD fd = open(listener->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &there) < 0 || there.st_dev != listener->device ||
        there.st_ino != listener->inode || !S_ISSOCK(there.st_mode)) {
        return -1;
    }
    return take_fd(&fd);
}

int listener_set_access(const struct listener *listener, const struct access *access)
{
    gid_t group;
    mode_t mode = access_mode(access, &group);
    char by_fd[64];
    if (listener->given || !listener->path) {
        return 0;
    }
    OWN_FD fd = find_made(listener);
    if (fd < 0) {
        return -ENOENT;
    }
    /* A group that cannot be had: members connect as anybody else could, and are asked for. */
    if (group != (gid_t)-1 && fchownat(fd, "", (uid_t)-1, group, AT_EMPTY_PATH) < 0) {
        mode = 0666;
    }
    (void)snprintf(by_fd, sizeof by_fd, "/proc/self/fd/%d", fd);
    return chmod(by_fd, mode) == 0 ? 0 : -errno;
}

static void drop(struct listener *listener)
{
    fd_release(&listener->fd);
    fd_release(&listener->lock_fd);
    free(listener->path);
    listener->path = NULL;
}

/* A path that a socket can have, in a place where it stays what it is. */
static int judge_path(const char *path, struct message *why)
{
    char folder[PATH_MAX];
    if (!*path) {
        return message_set(why, -EINVAL, "the socket's path is empty");
    }
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        return message_set(why, -ENAMETOOLONG, "the socket's path is longer than %zu bytes: %s",
                           sizeof((struct sockaddr_un *)0)->sun_path - 1, path);
    }
    if (folder_find_open(path, folder)) {
        return message_set(why, -EPERM,
                           "everybody may write %s, and so replace the socket: choose a folder of "
                           "this user's own, or take that away (chmod o-w)",
                           folder);
    }
    return 0;
}

int listener_open(const char *path, const struct access *access, struct listener *listener,
                  struct message *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *listener = (struct listener){.fd = -1, .lock_fd = -1};
    int r = judge_path(path, why);
    if (r != 0) {
        return r;
    }
    memcpy(address.sun_path, path, strlen(path));
    listener->path = strdup(path);
    r = listener->path ? take_lock(listener, why) : message_set(why, -ENOMEM, "not enough memory");
    r = r != 0 ? r : remove_stale(&address, why);
    r = r != 0 ? r : bind_private(listener, &address, why);
    if (r != 0) {
        drop(listener);
        return r;
    }
    bool wider = access->user_count + access->group_count > 0;
    r = wider ? listener_set_access(listener, access) : 0;
    if (r != 0) {
        listener_close(listener);
        return message_set(why, r, "cannot let others connect to %s: %s", path, strerror(-r));
    }
    return 0;
}

int listener_open_given(int fd, struct listener *listener, struct message *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    socklen_t bytes = sizeof address;
    *listener = (struct listener){.fd = fd, .lock_fd = -1, .given = true};
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) < 0) {
        int r = message_set(why, -errno, "the socket that was handed over: %s", strerror(errno));
        drop(listener);
        return r;
    }
    size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t length = bytes > head ? bytes - head : 0;
    bool named = length > 0 && address.sun_path[0] != '\0';
    listener->path = strndup(named ? address.sun_path : "(a socket without a path)",
                             named ? length : sizeof address.sun_path);
    if (!listener->path) {
        drop(listener);
        return message_set(why, -ENOMEM, "not enough memory");
    }
    return 0;
}

int listener_take_fd(struct listener *listener)
{
    return take_fd(&listener->fd);
}

void listener_close(struct listener *listener)
{
    /* While the lock is ours nobody who asks for it puts another one there; somebody else might. */
    if (listener->path && !listener->given) {
        OWN_FD made = find_made(listener);
        if (made >= 0) {
            (void)unlink(listener->path);
        }
    }
    drop(listener);
}
