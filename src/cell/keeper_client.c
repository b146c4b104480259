/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/keeper_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/passing.h"
#include "cell/hello.h"
#include "cell/launch.h"
#include "cell/programs.h"

#define SEND_PATIENCE_NS CLOCK_SECOND_NS
#define STOP_PATIENCE_NS (4 * CLOCK_SECOND_NS) /* a little more than the keeper's own farewell */
#define FDS_MAX          10u
#define FIRST_FD         3 /* a host may have closed its standard descriptors: theirs are never ours */

struct keeper_client {
    int socket;
    int pidfd;
    uint32_t mechanisms;
};

/* ---- Waiting ----------------------------------------------------------------------------------- */

/* Poll one fd until @until_ns. Returns 0, -ETIMEDOUT or another negative errno. */
static int wait_for(int fd, short events, uint64_t until_ns)
{
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = events};
        uint64_t now = clock_now_ns();
        struct timespec timeout = clock_timespec(until_ns > now ? until_ns - now : 0);
        int r = ppoll(&poll_fd, 1, &timeout, NULL);
        if (r > 0) {
            return 0;
        }
        if (r == 0) {
            return -ETIMEDOUT;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

/* ---- Start ------------------------------------------------------------------------------------- */

static int move_above_standard(int *fd)
{
    if (*fd < FIRST_FD) {
        int high = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FD);
        if (high < 0) {
            return -errno;
        }
        (void)close(*fd);
        *fd = high;
    }
    return 0;
}

static int open_pair(int *pair)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        pair[0] = pair[1] = -1;
        return -errno;
    }
    int r = move_above_standard(&pair[0]);
    return r < 0 ? r : move_above_standard(&pair[1]);
}

static int open_host_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (fd < 0 || move_above_standard(&fd) < 0) {
        fd_release(&fd);
    }
    return fd;
}

/* The keeper's end of the socket is closed here before the hello, so that its death is seen. */
static int launch(const struct keeper_options *options, bool examine, struct keeper_client *client,
                  struct message *why)
{
    OWN_FD keeper = program_open(PROGRAM_KEEPER, options ? options->keeper_path : NULL, why);
    OWN_FD worker = program_open(PROGRAM_WORKER, options ? options->worker_path : NULL, why);
    if (keeper < 0 || worker < 0) {
        return keeper < 0 ? keeper : worker;
    }
    OWN_FD symbolize = program_open(PROGRAM_SYMBOLIZE, NULL, NULL);
    int pair[2];
    int r = open_pair(pair);
    client->socket = pair[0];
    OWN_FD theirs = pair[1];
    OWN_FD host = open_host_pidfd();
    if (r < 0) {
        return message_set(why, r, "no socket for the keeper: %s", strerror(-r));
    }
    struct launch wish = {.keeper_program = keeper,
                          .worker_program = worker,
                          .socket = theirs,
                          .host_pidfd = host,
                          .symbolizer_program = symbolize,
                          .without = options ? options->without : 0,
                          .examine = examine};
    r = launch_keeper(&wish, &client->pidfd);
    return r < 0 ? message_set(why, r, "the keeper program cannot be run: %s", strerror(-r)) : 0;
}

static int receive_hello(struct keeper_client *client, struct message *why)
{
    uint8_t bytes[sizeof(struct errand_hello) + 1]; /* a longer one is seen to be longer */
    int r = wait_for(client->socket, POLLIN, clock_after_ns(LIMIT_START_MS * CLOCK_MS_NS));
    if (r < 0) {
        return message_set(why, r, "the keeper does not say hello within LIMIT_START_MS (%u ms)",
                           LIMIT_START_MS);
    }
    ssize_t length = recv(client->socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length <= 0) {
        return message_set(why, -EPIPE, "the keeper ended before it said hello");
    }
    return hello_read(bytes, (size_t)length, &client->mechanisms, why);
}

int keeper_client_start(const struct keeper_options *options, struct keeper_client **ret_client,
                        struct message *why)
{
    struct keeper_client *client = malloc(sizeof *client);
    if (!client) {
        return message_set(why, -ENOMEM, "no memory for a keeper");
    }
    *client = (struct keeper_client){.socket = -1, .pidfd = -1};
    int r = launch(options, false, client, why);
    r = r < 0 ? r : receive_hello(client, why);
    if (r < 0) {
        keeper_client_stop(client);
        return r;
    }
    *ret_client = client;
    return 0;
}

/* ---- Examination ------------------------------------------------------------------------------- */

static int receive_examination(const struct keeper_client *client,
                               struct examination *ret_examination, struct message *why)
{
    int r = wait_for(client->socket, POLLIN, clock_after_ns(LIMIT_START_MS * CLOCK_MS_NS));
    if (r < 0) {
        return message_set(why, r,
                           "the keeper has not examined the platform within LIMIT_START_MS (%u ms)",
                           LIMIT_START_MS);
    }
    uint8_t bytes[sizeof *ret_examination + 1];
    ssize_t length = recv(client->socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length <= 0) {
        return message_set(why, -EPIPE, "the keeper ended before it had examined the platform");
    }
    return hello_read_examination(bytes, (size_t)length, ret_examination, why);
}

int keeper_client_examine(const struct keeper_options *options, struct examination *ret_examination,
                          struct message *why)
{
    struct keeper_client *client = malloc(sizeof *client);
    if (!client) {
        return message_set(why, -ENOMEM, "no memory for a keeper");
    }
    *client = (struct keeper_client){.socket = -1, .pidfd = -1};
    int r = launch(options, true, client, why);
    r = r < 0 ? r : receive_examination(client, ret_examination, why);
    keeper_client_stop(client);
    return r;
}

/* ---- Use --------------------------------------------------------------------------------------- */

uint32_t keeper_client_mechanisms(const struct keeper_client *client)
{
    return client->mechanisms;
}

/* Returns 0, -EAGAIN: the socket is full, -EPIPE, or another negative errno. */
static int send_now(int socket, const struct errand *errand, const int *fds, uint32_t fd_count)
{
    size_t library_bytes = strnlen(errand->library, ERRAND_LIBRARY_BYTES - 1) + 1;
    size_t bytes = errand->kind == ERRAND_START ? offsetof(struct errand, library) + library_bytes
                                                : offsetof(struct errand, policy);
    int r = passing_send(socket, errand, bytes, fds, fd_count);
    return r == -ECONNRESET || r == -ENOTCONN ? -EPIPE : r;
}

/*
 * Too many descriptors of this user are in flight, in whatever sockets. The kernel tells nobody when there are
 * fewer: ask again soon. Returns 0 or -ETOOMANYREFS.
 */
static int await_flight(int socket, uint64_t until_ns)
{
    uint64_t soon_ns = clock_after_ns(CLOCK_MS_NS);
    if (soon_ns > until_ns) {
        return -ETOOMANYREFS;
    }
    (void)wait_for(socket, 0, soon_ns); /* the other end's death is told by sending */
    return 0;
}

int keeper_client_send(struct keeper_client *client, const struct errand *errand, const int *fds,
                       uint32_t fd_count)
{
    if (fd_count > FDS_MAX || !memchr(errand->library, '\0', sizeof errand->library)) {
        return -EINVAL;
    }
    /* Hundreds of starts stand in line at one socket: each has the time that a start may take. */
    bool starts = errand->kind == ERRAND_START && errand->start_timeout_ns > SEND_PATIENCE_NS;
    uint64_t until = clock_after_ns(starts ? errand->start_timeout_ns : SEND_PATIENCE_NS);
    for (;;) {
        int r = send_now(client->socket, errand, fds, fd_count);
        if (r == -ETOOMANYREFS) {
            r = await_flight(client->socket, until);
        } else if (r == -EAGAIN || r == -EINTR) {
            r = wait_for(client->socket, POLLOUT, until);
            r = r == -ETIMEDOUT ? -EAGAIN : r;
        } else {
            return r;
        }
        if (r < 0) {
            return r;
        }
    }
}

int keeper_client_try_send(struct keeper_client *client, const struct errand *errand,
                           const int *fds, uint32_t fd_count)
{
    if (fd_count > FDS_MAX || !memchr(errand->library, '\0', sizeof errand->library)) {
        return -EINVAL;
    }
    int r = send_now(client->socket, errand, fds, fd_count);
    return r == -EINTR || r == -ETOOMANYREFS ? -EAGAIN : r;
}

int keeper_client_pidfd(const struct keeper_client *client)
{
    return client->pidfd;
}

bool keeper_client_alive(struct keeper_client *client)
{
    return wait_for(client->pidfd, POLLIN, 0) == -ETIMEDOUT;
}

/* ---- End --------------------------------------------------------------------------------------- */

/* A host that adopts orphans (init, a subreaper) has the keeper as a child after all. */
static void await_end(int pidfd)
{
    if (wait_for(pidfd, POLLIN, clock_after_ns(STOP_PATIENCE_NS)) < 0) {
        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        (void)wait_for(pidfd, POLLIN, clock_after_ns(STOP_PATIENCE_NS));
    }
    siginfo_t ignored;
    (void)waitid(P_PIDFD, (id_t)pidfd, &ignored, WEXITED | WNOHANG | __WALL);
}

/* Shut down, not only closed: a forked child may hold the socket as well. */
void keeper_client_stop(struct keeper_client *client)
{
    if (!client) {
        return;
    }
    if (client->socket >= 0) {
        (void)shutdown(client->socket, SHUT_RDWR);
    }
    if (client->pidfd >= 0) {
        await_end(client->pidfd);
    }
    keeper_client_abandon(client);
}

void keeper_client_abandon(struct keeper_client *client)
{
    if (!client) {
        return;
    }
    fd_release(&client->socket);
    fd_release(&client->pidfd);
    free(client);
}

int keeper_client_pid(const struct keeper_client *client)
{
    char path[64];
    char line[128];
    int pid = 0;
    (void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", client->pidfd);
    FILE *info = fopen(path, "re");
    while (info && fgets(line, sizeof line, info)) {
        if (strncmp(line, "Pid:", 4) == 0) {
            pid = atoi(line + 4);
        }
    }
    if (info) {
        (void)fclose(info);
    }
    return pid > 0 ? pid : 0;
}
