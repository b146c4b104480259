/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's reader of errands, for fuzz_hostile.c: messages of a host that is a stranger. */
#include "props.h"

#include "base/fd.h"
#include "base/memfd.h"
#include "keeper/errands.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MAX 8

void hostile_errand(struct input *input);

/* A sound START, so that what is wrong with it is what the input makes wrong. */
static void fill_sound(struct errand *errand)
{
    memset(errand, 0, sizeof *errand);
    errand->magic = ERRAND_MAGIC;
    errand->version = ERRAND_VERSION;
    errand->kind = ERRAND_START;
    errand->worker = 1;
    errand->start_timeout_ns = 1;
    memcpy(errand->library, "libz.so.1", sizeof "libz.so.1");
}

/* Groups of three: where, and with what a byte of it is overwritten. */
static void spoil(struct errand *errand, struct input *input)
{
    for (int i = 0; i < 16 && input->size >= 3; i++) {
        uint16_t at;
        uint8_t byte;
        props_take(input, &at, sizeof at);
        props_take(input, &byte, 1);
        ((uint8_t *)errand)[at % sizeof *errand] = byte;
    }
}

static void send_errand(int socket, const struct errand *errand, size_t bytes, uint32_t fd_count)
{
    union {
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec part = {(void *)(uintptr_t)errand, bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        for (uint32_t i = 0; i < fd_count; i++) {
            memcpy(CMSG_DATA(rights) + i * sizeof(int), &socket, sizeof socket);
        }
    }
    (void)sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void hostile_errand(struct input *input)
{
    static struct errand errand;
    static struct errand_letter letter;
    int pair[2];
    uint8_t shape[3];
    props_take(input, shape, sizeof shape);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        abort();
    }
    OWN_FD ours = pair[0];
    OWN_FD theirs = pair[1];
    fill_sound(&errand);
    spoil(&errand, input);
    size_t bytes = shape[1] == 0 ? sizeof errand : (shape[1] * 16u + shape[2]) % sizeof errand;
    send_errand(theirs, &errand, bytes, shape[0] % (FDS_MAX + 1));
    if (errand_letter_receive(&letter, ours) == 0) {
        volatile size_t length = strnlen(letter.errand.library, sizeof letter.errand.library);
        if (letter.errand.kind == ERRAND_START) {
            struct ward_fds fds = errand_letter_fds(&letter);
            if (length >= sizeof letter.errand.library || fds.h < 0 || fds.w < 0) {
                abort();
            }
            errand_letter_return_fds(&letter, &fds);
        }
        errand_letter_deinit(&letter);
    }
}
