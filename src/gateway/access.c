/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/access.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

#define GROUPS_FIRST 64u /* room for so many at the first try; the kernel says how many there are */
#define GROUPS_MOST  65536u

int peer_of(int fd, struct peer *ret_peer)
{
    struct ucred found;
    socklen_t bytes = sizeof found;
    *ret_peer = (struct peer){.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &bytes) < 0) {
        return -errno;
    }
    if (bytes != sizeof found) {
        return -EPROTO;
    }
    *ret_peer = (struct peer){.pid = found.pid, .uid = found.uid, .gid = found.gid};
    return 0;
}

static bool is_listed(const struct access *access, gid_t group)
{
    for (size_t i = 0; i < access->group_count; i++) {
        if (access->groups[i] == group) {
            return true;
        }
    }
    return false;
}

/* Whether one of the supplementary groups of the other end is listed. */
static bool has_listed_group(const struct access *access, int fd)
{
    socklen_t bytes = GROUPS_FIRST * sizeof(gid_t);
    gid_t *groups = NULL;
    int r;
    do {
        gid_t *more = realloc(groups, bytes);
        if (!more) {
            free(groups);
            return false;
        }
        groups = more;
        r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) == 0 ? 0 : -errno;
    } while (r == -ERANGE && bytes <= GROUPS_MOST * sizeof(gid_t));
    bool found = false;
    for (size_t i = 0; r == 0 && i < bytes / sizeof(gid_t) && !found; i++) {
        found = is_listed(access, groups[i]);
    }
    free(groups);
    return found;
}

bool access_commands(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

bool access_allows(const struct access *access, int fd, const struct peer *peer)
{
    if (peer->uid == (uid_t)-1) {
        return false;
    }
    if (access_commands(peer->uid)) {
        return true;
    }
    for (size_t i = 0; i < access->user_count; i++) {
        if (access->users[i] == peer->uid) {
            return true;
        }
    }
    return access->group_count > 0 &&
           (is_listed(access, peer->gid) || has_listed_group(access, fd));
}

mode_t access_mode(const struct access *access, gid_t *ret_group)
{
    bool one_group = access->group_count == 1 && access->user_count == 0;
    *ret_group = one_group ? access->groups[0] : (gid_t)-1;
    return access->group_count + access->user_count == 0 ? 0600 : one_group ? 0660 : 0666;
}
