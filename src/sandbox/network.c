/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/network.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

static int write_file(const char *path, const char *text)
{
    OWN_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
}

static int map_ids(uid_t uid, gid_t gid)
{
    char users[48];
    char groups[48];
    (void)snprintf(users, sizeof users, "%u %u 1", uid, uid);
    (void)snprintf(groups, sizeof groups, "%u %u 1", gid, gid);
    int r = write_file("/proc/self/setgroups", "deny");
    r = r < 0 ? r : write_file("/proc/self/uid_map", users);
    return r < 0 ? r : write_file("/proc/self/gid_map", groups);
}

static int raise_loopback(void)
{
    OWN_FD fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
}

int network_leave(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNET) == 0) {
        return raise_loopback();
    }
    if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return -errno;
    }
    int r = map_ids(uid, gid);
    return r < 0 ? r : raise_loopback();
}
