/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aims at dial(), attached_hear(), attached_lease(), attachment_interface() and provision_next(): what a client makes of
 * what a daemon sends: the gateway's answer, the seat that comes with it, its messages, the board, the plans.
 *
 * How it works. A thread is the daemon: it sends what a real lender sent once, with bytes changed as the input
 * says, or left out, or said twice, and closes. The client attaches, and calls a function if that went well. However
 * it ends, nothing must be left of it, and no wait may be longer than its deadline.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memfd.h"
#include "cordon/attach.h"
#include "cordon/cell.h"
#include "cordon/function.h"
#include "cordon/lease.h"
#include "lane/lease.h"

#define FDS_SEEN    128
#define PLANS_BYTES (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A cursor over the input; what is missing reads as zero. */
struct input {
    const uint8_t *data;
    size_t size;
};

static struct {
    bool ready;
    int listener;
    char folder[32];
    char path[64];
    struct lease_welcome welcome;
    uint8_t board[LEASE_BOARD_BYTES];
    uint8_t plans[PLANS_BYTES];
    size_t plans_bytes;
    struct input input;
} scene;

static uint8_t next(struct input *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

static int open_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < FDS_SEEN; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* ---- What a real lender says ------------------------------------------------------------------- */

static void record(void)
{
    struct cordon_error error;
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    struct cordon_cell *cell;
    struct cordon_lender *lender;
    int seat = -1;
    int fds[2];
    options.library = "libc.so.6";
    options.interface_text = "struct div { int quot; int rem; }; int abs(int j); "
                             "size_t strlen(const char *s); struct div div(int a, int b);";
    int r = cordon_cell_open(&options, &cell, &error);
    r = r != 0 ? r : cordon_lender_open(&lender, &error);
    r = r != 0 ? r : cordon_lender_offer(lender, cell, NULL, &error);
    r = r != 0 ? r : cordon_lender_attach(lender, cell, -1, &seat, &error);
    assert(r == 0);
    union {
        char bytes[CMSG_SPACE(sizeof fds)];
        struct cmsghdr aligned;
    } control;
    struct iovec part = {.iov_base = &scene.welcome, .iov_len = sizeof scene.welcome};
    struct msghdr letter = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control};
    assert(recvmsg(seat, &letter, 0) == sizeof scene.welcome);
    const struct cmsghdr *rights = CMSG_FIRSTHDR(&letter);
    assert(rights);
    memcpy(fds, CMSG_DATA(rights), sizeof fds);
    assert(pread(fds[0], scene.board, sizeof scene.board, 0) == sizeof scene.board);
    ssize_t bytes = pread(fds[1], scene.plans, sizeof scene.plans, 0);
    assert(bytes > 0 && (size_t)bytes < sizeof scene.plans);
    scene.plans_bytes = (size_t)bytes;
    (void)close(fds[0]);
    (void)close(fds[1]);
    (void)close(seat);
    cordon_lender_close(lender);
    cordon_cell_close(cell);
}

/* ---- The daemon -------------------------------------------------------------------------------- */

/* @bytes with some changed: a count, then each its place and what is done to it. */
static void spoil(struct input *input, void *bytes, size_t length)
{
    for (uint8_t n = next(input) % 8; n > 0 && length > 0; n--) {
        size_t at = (size_t)next(input) << 8;
        at |= next(input);
        ((uint8_t *)bytes)[at % length] ^= next(input);
    }
}

static int sealed(struct input *input, const void *bytes, size_t length, int seals)
{
    uint8_t how = next(input);
    int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t size = how == 1 ? length / 2 : how == 2 ? 0 : how == 3 ? length + 4096 : length;
    uint8_t *copy = calloc(1, length + 4096);
    assert(fd >= 0 && copy);
    memcpy(copy, bytes, length);
    spoil(input, copy, length);
    assert(write(fd, copy, size) == (ssize_t)size);
    if (how != 4) {
        (void)memfd_seal(fd, seals);
    }
    free(copy);
    return fd;
}

static void send_with(int socket, const void *bytes, size_t length, const int *fds, uint32_t count)
{
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr aligned;
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr letter = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        letter.msg_control = control.bytes;
        letter.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&letter);
        *rights = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)),
                                   .cmsg_level = SOL_SOCKET,
                                   .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    (void)sendmsg(socket, &letter, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_welcome(struct input *input, int seat)
{
    const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    struct lease_welcome welcome = scene.welcome;
    spoil(input, &welcome, sizeof welcome);
    int fds[2] = {sealed(input, scene.board, sizeof scene.board, all | F_SEAL_FUTURE_WRITE),
                  sealed(input, scene.plans, scene.plans_bytes, all | F_SEAL_WRITE)};
    uint8_t how = next(input);
    send_with(seat, &welcome, how == 1 ? sizeof welcome / 2 : sizeof welcome, fds,
              how == 2 ? 1 : 2);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* What answers a LEASE, or not. */
static void send_news(struct input *input, int seat)
{
    union lease_message message = {.head = {.magic = LEASE_MAGIC, .version = LEASE_VERSION}};
    uint8_t kind = next(input);
    size_t length = 0;
    switch (kind % 4) {
    case 0:
        message.head.kind = LEASE_LEASED;
        message.leased.serial = 1;
        message.leased.worker = 7;
        length = sizeof message.leased;
        break;
    case 1:
        message.head.kind = LEASE_REFUSED;
        message.refused.serial = 1;
        /* Negative ones, too. NOLINTNEXTLINE(bugprone-signed-char-misuse) */
        message.refused.outcome = (int8_t)next(input);
        memset(message.refused.text, next(input), sizeof message.refused.text);
        length = sizeof message.refused;
        break;
    case 2:
        message.head.kind = LEASE_ENDED;
        message.ended.worker = kind & 16 ? 7 : 0;
        message.ended.verdict = next(input);
        length = sizeof message.ended;
        break;
    default:
        send_welcome(input, seat);
        return;
    }
    spoil(input, &message, length);
    send_with(seat, &message, length, NULL, 0);
}

static void answer(struct input *input, int socket)
{
    char frame[256] = {0};
    const char *text = "{\"result\":true}";
    int pair[2];
    uint8_t how = next(input);
    if (how % 8 == 1) {
        text = "{\"error\":{\"code\":-32005,\"message\":\"too \\u00fc "
               "many\",\"data\":{\"outcome\":\"busy\"}}}";
    }
    size_t length = strlen(text);
    frame[3] = (char)length;
    memcpy(frame + 4, text, length);
    spoil(input, frame, length + 4);
    assert(socketpair(AF_UNIX, how & 8 ? SOCK_STREAM : SOCK_SEQPACKET, 0, pair) == 0);
    send_welcome(input, pair[0]);
    send_with(socket, frame, how & 16 ? 3 : length + 4, &pair[1], how & 32 ? 0 : 1);
    (void)close(pair[1]);
    if (how & 64) {
        /* The client's request has come, or it is gone. */
        struct pollfd asked = {.fd = pair[0], .events = POLLIN};
        (void)poll(&asked, 1, 50);
    }
    for (uint8_t n = next(input) % 5; n > 0; n--) {
        send_news(input, pair[0]);
    }
    (void)close(pair[0]);
}

static void *serve(void *context)
{
    (void)context;
    struct input input = scene.input;
    for (;;) {
        int socket = accept4(scene.listener, NULL, NULL, SOCK_CLOEXEC);
        char ignored[256];
        ssize_t got = recv(socket, ignored, sizeof ignored, 0);
        if (got == 1) { /* ours: it is over */
            (void)close(socket);
            return NULL;
        }
        answer(&input, socket);
        (void)close(socket);
    }
}

static int to_daemon(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, scene.path, strlen(scene.path));
    assert(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static void remove_folder(void)
{
    (void)unlink(scene.path);
    (void)rmdir(scene.folder);
}

static void set_up(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)signal(SIGPIPE, SIG_IGN);
    record();
    (void)snprintf(scene.folder, sizeof scene.folder, "/tmp/fuzz-attach-XXXXXX");
    assert(mkdtemp(scene.folder));
    (void)snprintf(scene.path, sizeof scene.path, "%s/socket", scene.folder);
    memcpy(address.sun_path, scene.path, strlen(scene.path));
    scene.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(bind(scene.listener, (struct sockaddr *)&address, sizeof address) == 0);
    assert(listen(scene.listener, 8) == 0);
    (void)atexit(remove_folder);
    scene.ready = true;
}

/* ---- The client -------------------------------------------------------------------------------- */

static void call(struct cordon_cell *cell)
{
    struct cordon_function *function;
    struct cordon_result result;
    struct cordon_error error;
    struct cordon_value args[] = {cordon_int(-5)};
    if (cordon_bind(cell, "abs", 0, &function, &error) == 0) {
        int r = cordon_call(function, args, 1, clock_after_ns(20 * CLOCK_MS_NS), &result);
        assert(r != CORDON_DONE); /* nobody is there */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cordon_attach_options options = CORDON_ATTACH_OPTIONS;
    struct cordon_cell *cell = NULL;
    struct cordon_error error;
    pthread_t daemon;
    if (!scene.ready) {
        set_up();
    }
    int before = open_fds();
    scene.input = (struct input){data, size};
    assert(pthread_create(&daemon, NULL, serve, NULL) == 0);
    options.gateway = scene.path;
    options.cell = "fuzz";
    if (cordon_attach(&options, &cell, &error) == 0) {
        call(cell);
        (void)cordon_cell_close(cell);
    }
    int over = to_daemon();
    assert(send(over, "x", 1, 0) == 1);
    (void)pthread_join(daemon, NULL);
    (void)close(over);
    assert(open_fds() == before);
    return 0;
}
