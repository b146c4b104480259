/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define STACK_BYTES (64u * 1024u)
#define FD_ASIDE    64 /* above all fixed numbers, so that moving one fd never overwrites another */

struct child_plan {
    int fds[START_FD_END]; /* by their number in the worker; -1: closed there */
    int program;
    const char *name;
    bool may_be_hurried; /* SIGTERM waits until it is expected */
    int error;           /* written by the child, which shares our memory until its exec */
};

/*
 * Dispositions are the defaults in a keeper; only what it blocks has to be undone. The mask is no
 * variable of this stack, which the next child uses again: a sanitizer would remember the last one's.
 */
static int unblock_signals(bool but_hurry)
{
    static const uint64_t none; /* as the kernel knows it: one bit a signal */
    static const uint64_t hurry = 1ull << (SIGTERM - 1);
    return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, but_hurry ? &hurry : &none, NULL,
                        sizeof none);
}

static int move_fds(int *fds)
{
    for (int number = START_FD_H; number < START_FD_END; number++) {
        if (fds[number] >= 0) {
            fds[number] = fcntl(fds[number], F_DUPFD_CLOEXEC, FD_ASIDE);
            if (fds[number] < 0) {
                return -1;
            }
        }
    }
    for (int number = START_FD_H; number < START_FD_END; number++) {
        if (fds[number] >= 0 && dup2(fds[number], number) < 0) {
            return -1;
        }
    }
    return 0;
}

static int close_others(const int *fds)
{
    for (int number = START_FD_H; number < START_FD_END; number++) {
        if (fds[number] < 0) {
            (void)close(number);
        }
    }
    return close_range(START_FD_END, ~0u, CLOSE_RANGE_CLOEXEC);
}

/*
 * A session of its own, from the first instruction: where the kernel shares CPUs out by session (autogroup),
 * what a child does before its exec - for which the keeper waits - and what a report costs would be taken from
 * the keeper's share. On two CPUs with thirty busy processes both stood still for up to 4.5 s that way.
 */
static void leave_session(void)
{
    (void)setsid();
}

/* The program's fd may have a number that a worker's fd takes: it is put aside first. */
static int run_child(void *argument)
{
    struct child_plan *plan = argument;
    leave_session();
    char *const argv[] = {(char *)(uintptr_t)plan->name, NULL};
    int program = fcntl(plan->program, F_DUPFD_CLOEXEC, FD_ASIDE);
    if (program >= 0 && unblock_signals(plan->may_be_hurried) == 0 && move_fds(plan->fds) == 0 &&
        close_others(plan->fds) == 0) {
        (void)syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
    }
    plan->error = errno;
    _exit(START_EXIT_REFUSED);
}

static int send_order(int socket, const struct start_order *order)
{
    size_t bytes = offsetof(struct start_order, library) + strlen(order->library) + 1;
    return send(socket, order, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)bytes ? 0 : -errno;
}

static int clone_child(struct child_plan *plan, struct spawn_child *ret_child)
{
    static _Alignas(16) unsigned char stack[STACK_BYTES];
    int pidfd = -1;
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
    int pid = clone(run_child, stack + sizeof stack, flags, plan, &pidfd);
    if (pid < 0) {
        return -errno;
    }
    if (plan->error != 0) {
        (void)waitpid(pid, NULL, __WALL);
        (void)close(pidfd);
        return -plan->error;
    }
    ret_child->pid = pid;
    ret_child->pidfd = pidfd;
    return 0;
}

int spawn_worker(const struct start_order *order, const struct spawn_fds *fds,
                 struct spawn_child *ret_child)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return -errno;
    }
    OWN_FD ours = pair[0];
    OWN_FD theirs = pair[1];
    int r = send_order(ours, order);
    if (r < 0) {
        return r;
    }
    struct child_plan plan = {.program = fds->program, .name = "cordon-worker"};
    plan.fds[0] = plan.fds[1] = plan.fds[2] = -1;
    plan.fds[START_FD_H] = fds->h;
    plan.fds[START_FD_W] = fds->w;
    plan.fds[START_FD_SOCKET] = theirs;
    plan.fds[START_FD_EVENT] = fds->event;
    plan.fds[START_FD_ARENA] = fds->arena;
    plan.fds[START_FD_PROVISION] = fds->provision;
    r = clone_child(&plan, ret_child);
    if (r < 0) {
        return r;
    }
    ret_child->start_socket = take_fd(&ours);
    return 0;
}

int spawn_program(int program, const char *name, const int fds[SPAWN_FDS],
                  struct spawn_child *ret_child)
{
    struct child_plan plan = {.program = program, .name = name, .may_be_hurried = true};
    memcpy(plan.fds, fds, sizeof plan.fds);
    ret_child->start_socket = -1;
    return clone_child(&plan, ret_child);
}
