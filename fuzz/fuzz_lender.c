/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aims at lender_dispatch(): seat_listen(), take_fds(), request_fits() and judge() of src/cell/lender*.c: what a
 * client says on its seat, and which descriptors it sends along.
 *
 * How it works. A real lender with a real cell; each input is one client: a byte says what the next message is made of
 * (a good request or end, some bytes of it changed, or noise), another which descriptors go with it. Memories that would
 * do are given to no message that would do: no worker is ever started. What comes back must be messages of the lender's; when the
 * client is gone the lender has no seat and no descriptor of it.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memfd.h"
#include "cordon/cell.h"
#include "cordon/interface.h"
#include "cordon/lease.h"
#include "lane/identity.h"
#include "lane/lease.h"

#define MESSAGES_MAX 24
#define FDS_MAX      6u
#define FDS_SEEN     128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct cordon_cell *cell;
    struct cordon_lender *lender;
    int fds[8]; /* of all kinds */
    int count;
} scene;

static int open_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < FDS_SEEN; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static int memory(size_t bytes, int seals)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 && memfd_seal(fd, seals) == 0);
    return fd;
}

static void set_up(void)
{
    struct cordon_error error;
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    struct cordon_lend_options lend = {.size = sizeof lend, .leases = 2};
    options.library = "libc.so.6";
    options.interface_text = "int abs(int j); size_t strlen(const char *s);";
    int r = cordon_cell_open(&options, &scene.cell, &error);
    r = r != 0 ? r : cordon_lender_open(&scene.lender, &error);
    r = r != 0 ? r : cordon_lender_offer(scene.lender, scene.cell, &lend, &error);
    assert(r == 0);
    int whole = F_SEAL_SHRINK | F_SEAL_GROW;
    int pipes[2];
    assert(pipe2(pipes, O_CLOEXEC) == 0);
    const int kinds[8] = {
        memory(1 << 20, whole),
        memory(1 << 20, whole | F_SEAL_WRITE),
        memory(1 << 20, F_SEAL_GROW),
        memory(100, whole | F_SEAL_SEAL),
        memory(0, whole | F_SEAL_SEAL),
        eventfd(0, EFD_CLOEXEC),
        pipes[0],
        open("/dev/null", O_RDWR | O_CLOEXEC),
    };
    memcpy(scene.fds, kinds, sizeof kinds);
}

/* What would be good, but for the bytes that are changed. */
static size_t fill(union lease_message *message, const uint8_t *shape)
{
    struct lease_head head = {.magic = LEASE_MAGIC,
                              .version = LEASE_VERSION,
                              .kind = shape[0] & 1 ? LEASE_END : LEASE_LEASE};
    memset(message, 0, sizeof *message);
    message->head = head;
    if (head.kind == LEASE_END) {
        message->end.worker = shape[1];
        return sizeof message->end;
    }
    message->request.serial = shape[1];
    message->request.identity = lane_client_identity();
    message->request.flags = shape[2] & 7u;
    if (shape[2] & 8) {
        message->request.arena_base = (uint64_t)shape[3] << 32;
        message->request.arena_bytes = (uint64_t)shape[4] << 12;
    }
    return sizeof message->request;
}

static void say(int seat, const uint8_t *shape)
{
    union lease_message message;
    size_t length = fill(&message, shape);
    int fds[FDS_MAX];
    uint32_t count = shape[5] % (FDS_MAX + 1);
    union {
        char bytes[CMSG_SPACE(sizeof fds)];
        struct cmsghdr aligned;
    } control = {0};
    if (shape[0] & 2) {
        ((uint8_t *)&message)[shape[6] % length] ^= shape[7];
    }
    length = shape[0] & 4 ? shape[6] % sizeof message : length;
    struct iovec part = {.iov_base = &message, .iov_len = length};
    struct msghdr letter = {.msg_iov = &part, .msg_iovlen = 1};
    for (uint32_t i = 0; i < count; i++) {
        /* The first that would do as H comes with none that would do as W. */
        fds[i] = scene.fds[(shape[8] >> i) % 8];
    }
    if (count > 0) {
        letter.msg_control = control.bytes;
        letter.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&letter);
        *rights = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)),
                                   .cmsg_level = SOL_SOCKET,
                                   .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    (void)sendmsg(seat, &letter, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* All that the lender said, as it says things. */
static void hear(int seat)
{
    for (;;) {
        union lease_message message;
        union {
            char bytes[CMSG_SPACE(2 * sizeof(int))];
            struct cmsghdr aligned;
        } control;
        struct iovec part = {.iov_base = &message, .iov_len = sizeof message};
        struct msghdr letter = {.msg_iov = &part,
                                .msg_iovlen = 1,
                                .msg_control = control.bytes,
                                .msg_controllen = sizeof control};
        ssize_t length = recvmsg(seat, &letter, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (length <= 0) {
            return;
        }
        struct cmsghdr *rights = CMSG_FIRSTHDR(&letter);
        assert(message.head.magic == LEASE_MAGIC && message.head.version == LEASE_VERSION);
        assert((message.head.kind == LEASE_WELCOME && rights) ||
               (message.head.kind == LEASE_REFUSED && length == sizeof message.refused &&
                memchr(message.refused.text, '\0', sizeof message.refused.text)));
        for (int i = 0; rights && i < 2; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(rights) + (size_t)i * sizeof fd, sizeof fd);
            (void)close(fd);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cordon_error error;
    struct cordon_lend_stats stats;
    int seat = -1;
    if (!scene.cell) {
        set_up();
    }
    int before = open_fds();
    int r = cordon_lender_attach(scene.lender, scene.cell, -1, &seat, &error);
    assert(r == 0);
    for (int i = 0; i < MESSAGES_MAX && size > 0; i++) {
        uint8_t shape[9] = {0};
        size_t part = size < sizeof shape ? size : sizeof shape;
        memcpy(shape, data, part);
        data += part;
        size -= part;
        say(seat, shape);
        if (shape[0] & 8) {
            (void)cordon_lender_dispatch(scene.lender);
        }
        if (shape[0] & 16) {
            hear(seat);
        }
    }
    (void)cordon_lender_dispatch(scene.lender);
    hear(seat);
    (void)close(seat);
    (void)cordon_lender_dispatch(scene.lender);
    assert(cordon_lender_stats(scene.lender, scene.cell, &stats) && stats.seats == 0);
    assert(cordon_lender_leases(scene.lender, scene.cell) == 0);
    assert(open_fds() == before);
    return 0;
}
