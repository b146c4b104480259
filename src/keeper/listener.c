/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/listener.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers that may be installed (Linux 6.6). */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1ul << 0)
#endif

#define RECORD_BYTES 512u /* of the kernel's structures, which may have grown */

union record {
    struct seccomp_notif notice;
    struct seccomp_notif_resp answer;
    uint8_t bytes[RECORD_BYTES];
};

static struct seccomp_notif_sizes sizes;

bool listener_init(void)
{
    return syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
           sizes.seccomp_notif >= sizeof(struct seccomp_notif) &&
           sizes.seccomp_notif <= RECORD_BYTES &&
           sizes.seccomp_notif_resp >= sizeof(struct seccomp_notif_resp) &&
           sizes.seccomp_notif_resp <= RECORD_BYTES;
}

/* What is received from is asked by ioctl: on another kind of file that would be another request. */
int listener_accept(int fd)
{
    static const char kind[] = "anon_inode:seccomp notify";
    char path[48];
    char target[sizeof kind];
    (void)snprintf(path, sizeof path, "/proc/thread-self/fd/%d", fd);
    ssize_t length = readlink(path, target, sizeof target);
    if (length != (ssize_t)sizeof kind - 1 || memcmp(target, kind, sizeof kind - 1) != 0) {
        return -EBADMSG;
    }
    /* The worker runs on the CPU where the keeper answered: the wait is short that way. May be lacking. */
    (void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    return 0;
}

/* Receiving without anything there would wait: for ever, once nobody is left who could be told of. */
static int look(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    if (poll(&readable, 1, 0) < 0) {
        return -errno;
    }
    return readable.revents & POLLIN ? 0 : readable.revents ? -EPIPE : -EAGAIN;
}

int listener_receive(int fd, struct notice *ret_notice)
{
    union record record;
    int r = look(fd);
    if (r < 0) {
        return r;
    }
    memset(&record, 0, sizeof record); /* the kernel insists */
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &record.notice) != 0) {
        return -errno;
    }
    const struct seccomp_data *data = &record.notice.data;
    *ret_notice = (struct notice){.id = record.notice.id,
                                  .thread = (pid_t)record.notice.pid,
                                  .system_call = (uint32_t)data->nr,
                                  .architecture = data->arch,
                                  .instruction = data->instruction_pointer};
    for (uint32_t i = 0; i < LISTENER_ARGUMENTS; i++) {
        ret_notice->arguments[i] = data->args[i];
    }
    return 0;
}

bool listener_waits(int fd, const struct notice *notice)
{
    uint64_t id = notice->id;
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static void answer(int fd, const struct notice *notice, int error, uint32_t flags)
{
    union record record;
    memset(&record, 0, sizeof record);
    record.answer.id = notice->id;
    record.answer.error = -error;
    record.answer.flags = flags;
    (void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &record.answer);
}

void listener_refuse(int fd, const struct notice *notice, int error)
{
    answer(fd, notice, error, 0);
}

void listener_let(int fd, const struct notice *notice)
{
    answer(fd, notice, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}
