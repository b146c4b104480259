/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_ACCESS_H
#define GATEWAY_ACCESS_H

/*
 * Access: who may use the daemon. The kernel says who connected, as it was at that moment: user, primary and supplementary
 * groups. The daemon's own user and root always may; who else, the lists say. What cannot be found out is refused.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* All zero: nobody else. The lists are borrowed. */
struct access {
    const uid_t *users;
    size_t user_count;
    const gid_t *groups;
    size_t group_count;
};

struct peer {
    pid_t pid; /* 0: not of this PID namespace, or not known */
    uid_t uid; /* -1: not known */
    gid_t gid;
};

/* Who connected to the other end of @fd. Returns 0, or a negative errno with nobody in @ret_peer. */
int peer_of(int fd, struct peer *ret_peer);

/* Whether the one at the other end of @fd, @peer, may use the daemon. */
bool access_allows(const struct access *access, int fd, const struct peer *peer);

/* Whether @uid may tell the daemon what to do: its own user, and root. */
bool access_commands(uid_t uid);

/*
 * The mode that lets those connect who may: 0600, for one group's members 0660 (*@ret_group is to own the socket), for others
 * 0666, since a file's mode has no lists. *@ret_group: -1 if it does not matter.
 */
mode_t access_mode(const struct access *access, gid_t *ret_group);

#endif
