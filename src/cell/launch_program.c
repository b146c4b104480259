/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cell/launch_clone.h"

#define STACK_BYTES (64u * 1024u)
#define FD_ASIDE    64 /* above all fixed numbers */

struct program_plan {
    const struct launch_program *launch;
    unsigned char *stack_end; /* of the program's process */
    char *argv[2];
    pid_t pid;
    int error; /* written by the children: 0, or why there is no such process */
};

CHILD_SIDE static int place_fds(const struct launch_program *launch, int *ret_program)
{
    int aside[LAUNCH_FDS];
    int null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
    *ret_program = (int)syscall(SYS_fcntl, launch->program, F_DUPFD_CLOEXEC, FD_ASIDE);
    int r = *ret_program < 0 ? -errno : 0;
    for (int n = 0; n < LAUNCH_FDS; n++) {
        int fd = n < 3 ? null : launch->fds[n];
        aside[n] = fd < 0 ? -1 : (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FD_ASIDE);
        if (fd >= 0 && aside[n] < 0) {
            r = -errno;
        }
    }
    for (int n = 0; n < LAUNCH_FDS && r == 0; n++) {
        r = launch_place_fd(aside[n], n);
    }
    if (r == 0 && syscall(SYS_close_range, LAUNCH_FDS, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
        r = -errno;
    }
    return r;
}

CHILD_SIDE static void run_program(void *argument)
{
    struct program_plan *plan = argument;
    char *const environment[] = {NULL};
    int program = -1;
    launch_reset_signals();
    int r = place_fds(plan->launch, &program);
    if (r == 0) {
        (void)syscall(SYS_execveat, program, "", plan->argv, environment, AT_EMPTY_PATH);
        r = -errno;
    }
    plan->error = r;
    (void)syscall(SYS_exit, 127);
    __builtin_unreachable();
}

/* A child that could not become the program is this process's to reap. */
CHILD_SIDE static void run_go_between(void *argument)
{
    struct program_plan *plan = argument;
    plan->error = 0;
    long pid = launch_clone_onto(CLONE_VM | CLONE_VFORK, plan->stack_end, NULL, run_program, plan);
    plan->pid = (pid_t)pid;
    if (pid < 0) {
        plan->error = (int)pid;
    } else if (plan->error != 0) {
        (void)syscall(SYS_wait4, pid, NULL, __WALL, NULL);
    }
    (void)syscall(SYS_exit, 0);
    __builtin_unreachable();
}

int launch_program(const struct launch_program *launch, pid_t *ret_pid)
{
    unsigned char *stacks = mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stacks == MAP_FAILED) {
        return -errno;
    }
    struct program_plan plan = {.launch = launch,
                                .stack_end = stacks + STACK_BYTES,
                                .argv = {(char *)(uintptr_t)launch->name, NULL},
                                .error = -EAGAIN};
    int r = launch_between(run_go_between, &plan, stacks + 2 * STACK_BYTES);
    (void)munmap(stacks, 2 * STACK_BYTES);
    r = r < 0 ? r : plan.error;
    if (r == 0) {
        *ret_pid = plan.pid;
    }
    return r;
}
