/* SPDX-License-Identifier: Apache-2.0 */
#include "floor_echo.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define HEAD_BYTES 4u

static _Noreturn void serve(int fd, size_t answer_bytes)
{
    static char request[65536];
    char *answer = calloc(1, answer_bytes);
    size_t body = answer_bytes - HEAD_BYTES;
    if (!answer) {
        _exit(1);
    }
    answer[2] = (char)(body >> 8);
    answer[3] = (char)body;
    /* A request comes in one piece: its client sends it so, and waits. */
    while (read(fd, request, sizeof request) > 0 &&
           write(fd, answer, answer_bytes) == (ssize_t)answer_bytes) {
    }
    _exit(0);
}

int floor_echo_open(struct floor_echo *echo, int server_cpu, const char *json, size_t answer_bytes)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        return -errno;
    }
    pid_t server = fork();
    if (server == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(ends[0]);
        if (server_cpu >= 0) {
            (void)measure_pin(server_cpu);
        }
        serve(ends[1], HEAD_BYTES + answer_bytes);
    }
    int error = errno;
    (void)close(ends[1]);
    if (server < 0) {
        (void)close(ends[0]);
        return -error;
    }
    echo->server = server;
    return caller_open(&echo->caller, ends[0], json);
}

void floor_echo_close(struct floor_echo *echo)
{
    caller_close(&echo->caller);
    if (echo->server > 0) {
        (void)waitpid(echo->server, NULL, 0);
    }
    *echo = (struct floor_echo){0};
}
