/* SPDX-License-Identifier: Apache-2.0 */
#include "socket_caller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define HEAD_BYTES  4u
#define PATIENCE_NS (20 * CLOCK_SECOND_NS)
#define LOOK_NS     (5 * CLOCK_MS_NS)

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "cordon: bench: %s\n", what);
    exit(1);
}

int caller_open(struct socket_caller *caller, int fd, const char *json)
{
    size_t bytes = strlen(json);
    *caller = (struct socket_caller){.fd = fd, .frame_bytes = HEAD_BYTES + bytes};
    caller->requests = malloc(CALLER_DEPTH_MAX * caller->frame_bytes);
    caller->input = malloc(CALLER_INPUT_BYTES);
    if (!caller->requests || !caller->input) {
        caller_close(caller);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < CALLER_DEPTH_MAX; i++) {
        char *frame = caller->requests + i * caller->frame_bytes;
        for (uint32_t k = 0; k < HEAD_BYTES; k++) {
            frame[k] = (char)(bytes >> (24 - 8 * k));
        }
        memcpy(frame + HEAD_BYTES, json, bytes);
    }
    return 0;
}

static int connect_once(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        return fd < 0 ? -errno : fd;
    }
    int error = errno;
    (void)close(fd);
    return -error;
}

int caller_connect(struct socket_caller *caller, const char *path, const char *json)
{
    uint64_t until_ns = clock_after_ns(PATIENCE_NS);
    int fd;
    while ((fd = connect_once(path)) == -ENOENT || fd == -ECONNREFUSED) {
        if (clock_now_ns() > until_ns) {
            return fd;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return fd < 0 ? fd : caller_open(caller, fd, json);
}

void caller_close(struct socket_caller *caller)
{
    if (caller->requests) {
        (void)close(caller->fd);
    }
    free(caller->requests);
    free(caller->input);
    *caller = (struct socket_caller){0};
}

void caller_send(const struct socket_caller *caller, uint32_t count)
{
    const char *at = caller->requests;
    size_t left = count * caller->frame_bytes;
    while (left > 0) {
        ssize_t sent = send(caller->fd, at, left, MSG_NOSIGNAL);
        if (sent <= 0) {
            give_up("a server does not take requests any more");
        }
        at += sent;
        left -= (size_t)sent;
    }
}

/* The next answer of what has come; NULL: it has not. */
static const char *next_answer(struct socket_caller *caller, size_t *ret_bytes)
{
    const unsigned char *head = (const unsigned char *)caller->input + caller->input_at;
    size_t have = caller->input_end - caller->input_at;
    if (have < HEAD_BYTES) {
        return NULL;
    }
    size_t bytes = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (have < HEAD_BYTES + bytes) {
        return NULL;
    }
    caller->input_at += HEAD_BYTES + bytes;
    *ret_bytes = bytes;
    return (const char *)head + HEAD_BYTES;
}

static void receive(struct socket_caller *caller)
{
    size_t have = caller->input_end - caller->input_at;
    if (caller->input_at > 0) {
        memmove(caller->input, caller->input + caller->input_at, have);
        caller->input_at = 0;
        caller->input_end = have;
    }
    ssize_t got = read(caller->fd, caller->input + have, CALLER_INPUT_BYTES - have);
    if (got <= 0) {
        give_up("a server closed the connection");
    }
    caller->input_end += (size_t)got;
}

const char *caller_ask(struct socket_caller *caller, size_t *ret_bytes)
{
    const char *answer;
    caller_send(caller, 1);
    do {
        receive(caller);
    } while (!(answer = next_answer(caller, ret_bytes)));
    return answer;
}

uint32_t caller_receive(struct socket_caller *caller)
{
    uint32_t came = 0;
    size_t bytes;
    receive(caller);
    while (next_answer(caller, &bytes)) {
        came++;
    }
    return came;
}

void caller_trips(struct socket_caller *caller, uint32_t count)
{
    size_t bytes;
    for (uint32_t i = 0; i < count; i++) {
        (void)caller_ask(caller, &bytes);
    }
}

void caller_flight(struct socket_caller *caller, uint32_t count, uint32_t depth)
{
    uint32_t asked = depth < count ? depth : count;
    uint32_t answered = 0;
    caller_send(caller, asked);
    while (answered < count) {
        uint32_t came = caller_receive(caller);
        answered += came;
        uint32_t more = came < count - asked ? came : count - asked;
        caller_send(caller, more);
        asked += more;
    }
}
