/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon-private: the daemon of one program. It opens cells for it and lends it their workers, which the program then
 * calls directly (docs/protocol/private.md). It ends when the program does.
 *
 * How it works: one thread polls the control socket, the lender, the jobs' event and the program's pidfd; whatever may
 * wait for a worker or a disk is a job. Ending is _exit(): the keeper's socket ends with this process, and the keeper
 * takes all workers along.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "private/requests.h"

enum { CONTROL_FD = 3, CLIENT_FD = 4 };

static const char usage[] =
    "cordon-private is started by programs that use Cordon, with a socket as descriptor 3.\n"
    "For a daemon that serves many programs see cordon-serve(1).\n";

/* A terminal's signals are the program's affair, and so is its end. */
static void leave_the_terminal(void)
{
    (void)setsid();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGQUIT, SIG_IGN);
    (void)prctl(PR_SET_NAME, "cordon-private", 0, 0, 0);
}

static bool is_socket(int fd)
{
    int type = 0;
    socklen_t bytes = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_STREAM;
}

static int server_init(struct server *server)
{
    struct cordon_error error = {{0}};
    control_init(&server->control, CONTROL_FD);
    server->client_pidfd = fcntl(CLIENT_FD, F_SETFD, FD_CLOEXEC) == 0 ? CLIENT_FD : -1;
    (void)fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
    int r = jobs_init(&server->jobs);
    server->shelf.jobs = &server->jobs;
    r = r != 0 ? r : cordon_lender_open(&server->shelf.lender, &error);
    if (r != 0) {
        (void)fprintf(stderr, "cordon-private: %s\n", error.text[0] ? error.text : strerror(-r));
    }
    return r;
}

static int take_frames(struct server *server)
{
    const char *text;
    size_t length;
    int r = control_fill(&server->control);
    int frame;
    while (r == 0 && (frame = control_next(&server->control, &text, &length)) != 0) {
        r = frame < 0 ? frame : requests_take(server, text, length);
    }
    return r;
}

/* One round. Returns 0; -ENOTCONN: the program is gone; or what made going on impossible. */
static int turn(struct server *server)
{
    struct pollfd fds[] = {
        {.fd = CONTROL_FD,
         .events = (short)(POLLIN | (control_has_output(&server->control) ? POLLOUT : 0))},
        {.fd = cordon_lender_fd(server->shelf.lender), .events = POLLIN},
        {.fd = jobs_fd(&server->jobs), .events = POLLIN},
        {.fd = server->client_pidfd, .events = POLLIN},
    };
    if (poll(fds, sizeof fds / sizeof fds[0], -1) < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    if (fds[3].revents != 0) {
        return -ENOTCONN;
    }
    if (fds[1].revents != 0) {
        (void)cordon_lender_dispatch(server->shelf.lender);
    }
    if (fds[2].revents != 0) {
        jobs_dispatch(&server->jobs);
    }
    int r = fds[0].revents & (POLLIN | POLLHUP | POLLERR) ? take_frames(server) : 0;
    shelf_sweep(&server->shelf);
    return r != 0 ? r : control_flush(&server->control);
}

int main(int argc, char **argv)
{
    static struct server server;
    (void)argv;
    if (argc != 1 || !is_socket(CONTROL_FD)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    leave_the_terminal();
    fd_raise_limit();
    int r = server_init(&server);
    while (r == 0) {
        r = turn(&server);
    }
    _exit(r == -ENOTCONN ? 0 : 1);
}
