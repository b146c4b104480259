/* SPDX-License-Identifier: Apache-2.0 */
#include "base/passing.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

int passing_send(int socket, const void *bytes, size_t length, const int *fds, uint32_t count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(PASSING_FDS_MAX * sizeof(int))] = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    assert(count <= PASSING_FDS_MAX);
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    ssize_t sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent == (ssize_t)length ? 0 : sent < 0 ? -errno : -EMSGSIZE;
}

/* All that came are ours: those that are too many, or came in another part, are closed. False: some were. */
static bool take(struct msghdr *message, int *ret_fds, uint32_t most, uint32_t *ret_count)
{
    bool all = true;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            if (*ret_count < most) {
                ret_fds[(*ret_count)++] = fd;
            } else {
                fd_release(&fd);
                all = false;
            }
        }
    }
    return all;
}

ssize_t passing_receive(int socket, void *bytes, size_t room, int *ret_fds, uint32_t most,
                        uint32_t *ret_count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(PASSING_FDS_MAX * sizeof(int))];
    struct iovec part = {.iov_base = bytes, .iov_len = room};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
    assert(most <= PASSING_FDS_MAX);
    message.msg_controllen = CMSG_SPACE(most * sizeof(int)); /* may hold one more, by alignment */
    *ret_count = 0;
    for (uint32_t i = 0; i < most; i++) {
        ret_fds[i] = -1;
    }
    ssize_t length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0) {
        return errno == EINTR ? -EAGAIN : -errno;
    }
    bool whole = take(&message, ret_fds, most, ret_count) &&
                 (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    if (!whole || length == 0) {
        for (uint32_t i = 0; i < most; i++) {
            fd_release(&ret_fds[i]);
        }
        *ret_count = 0;
        return whole ? 0 : -EMSGSIZE;
    }
    return length;
}
