/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/greeting.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/fd.h"
#include "lane/start.h"

/* The one descriptor that may come, and all others closed: alignment leaves room for a second one. */
static int take_fd_alone(struct msghdr *message)
{
    int taken = -1;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            if (taken < 0) {
                taken = fd;
            } else {
                fd_release(&fd);
            }
        }
    }
    return taken;
}

static ssize_t receive(int socket, char *text, size_t bytes, int *ret_fd)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {.iov_base = text, .iov_len = bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    *ret_fd = length < 0 ? -1 : take_fd_alone(&message);
    return length < 0 ? -errno : length;
}

static enum greeting_kind judge(struct greeting *greeting, const char *text, ssize_t length)
{
    if (length == -EAGAIN || length == -EINTR) {
        return GREETING_NOTHING;
    }
    if (length == 1 && text[0] == START_LISTENER && greeting->listener >= 0) {
        return GREETING_LISTENER;
    }
    if (length == 1 && text[0] == START_LOADED) {
        return GREETING_LOADED;
    }
    if (length > 2 && text[0] == START_REFUSED) {
        greeting->error = (unsigned char)text[1];
        message_set_foreign(&greeting->why, text + 2, (size_t)length - 2);
        return GREETING_REFUSED;
    }
    return GREETING_SILENT;
}

void greeting_receive(struct greeting *greeting, int socket)
{
    char text[START_ANSWER_BYTES];
    *greeting = (struct greeting){.listener = -1};
    ssize_t length = receive(socket, text, sizeof text, &greeting->listener);
    greeting->kind = judge(greeting, text, length);
    if (greeting->kind != GREETING_LISTENER) {
        greeting_deinit(greeting);
    }
}

void greeting_deinit(struct greeting *greeting)
{
    fd_release(&greeting->listener);
}
