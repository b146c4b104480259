/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cell/launch_clone.h"
#include "lane/start.h"

/*
 * How it works.
 *
 *   host thread --clone--> go-between --clone--> keeper --execveat--> cordon-keeper
 *
 * Both clones share this process's memory and stop their parent until they are done (CLONE_VM,
 * CLONE_VFORK), so nothing is copied, however large the host is. The go-between has exit signal 0:
 * no SIGCHLD, and a waitpid(-1) of another thread does not find it. It shares the table of
 * descriptors too, so that the pidfd which it gets is the host's. When it is gone the keeper is
 * nobody's child here.
 *
 * Everything that runs in the two is prepared beforehand, and makes system calls only: another thread
 * may have held any lock. All signals are blocked until the keeper has reset their dispositions, so
 * that no handler of the host runs in them.
 *
 * Namespaces are tried from the best to none: whether they can be had is known by trying.
 */

#define STACK_BYTES   (64u * 1024u)
#define FD_ASIDE      64 /* above all fixed numbers */
#define VARIABLES_MAX 32u

#define ATTEMPTS_MAX 3u

/* One way to make the keeper; its argument vector says which. */
struct attempt {
    unsigned long flags;
    char namespaces[16];
    char *argv[KEEPER_ARGUMENT_COUNT + 1];
};

struct plan {
    const struct launch *launch;
    char without[16];
    char *environment[VARIABLES_MAX + 1];
    uint32_t attempt_count;
    struct attempt attempts[ATTEMPTS_MAX];
    const struct attempt *attempt; /* the one in progress */
    char uid_map[48];
    char gid_map[48];
    unsigned char *keeper_stack; /* its upper end */
    int pidfd;
    int error; /* written by the children: 0, or why there is no keeper */
};

/* ---- The keeper's side of exec ----------------------------------------------------------------- */

CHILD_SIDE static int write_text(const char *path, const char *text)
{
    size_t length = 0;
    while (text[length]) {
        length++;
    }
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    long count = syscall(SYS_write, fd, text, length);
    int r = count == (long)length ? 0 : -EIO;
    (void)syscall(SYS_close, fd);
    return r;
}

/* In the new user namespace this user stays who it is. */
CHILD_SIDE static int keep_ids(const struct plan *plan)
{
    if (!(plan->attempt->flags & CLONE_NEWUSER)) {
        return 0;
    }
    int r = write_text("/proc/self/setgroups", "deny");
    r = r < 0 ? r : write_text("/proc/self/uid_map", plan->uid_map);
    return r < 0 ? r : write_text("/proc/self/gid_map", plan->gid_map);
}

/*
 * A terminal as standard error can be read as well: workers get it opened anew, for writing alone, where
 * that can be had (a socket cannot be opened). Not blocking only while a pipe without reader could block.
 */
CHILD_SIDE static void place_standard_error(void)
{
    int flags = O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/fd/2", flags);
    if (fd >= 0) {
        (void)syscall(SYS_fcntl, fd, F_SETFL, O_APPEND);
        (void)syscall(SYS_dup3, fd, STDERR_FILENO, 0);
    }
}

/* 0: /dev/null, 1: what 2 is, then by enum keeper_fd; all else closes at exec. */
CHILD_SIDE static int place_fds(const struct launch *launch, int *ret_program)
{
    int wanted[] = {launch->keeper_program, launch->socket, launch->worker_program,
                    launch->host_pidfd, launch->symbolizer_program};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (wanted[i] >= 0) {
            wanted[i] = (int)syscall(SYS_fcntl, wanted[i], F_DUPFD_CLOEXEC, FD_ASIDE);
            if (wanted[i] < 0) {
                return -errno;
            }
        }
    }
    int null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
    int r = launch_place_fd(null, STDIN_FILENO);
    if (syscall(SYS_fcntl, STDERR_FILENO, F_GETFD) < 0) {
        r = r < 0 ? r : launch_place_fd(STDIN_FILENO, STDERR_FILENO);
    }
    place_standard_error();
    r = r < 0 ? r : launch_place_fd(STDERR_FILENO, STDOUT_FILENO);
    r = r < 0 ? r : launch_place_fd(wanted[1], KEEPER_FD_SOCKET);
    r = r < 0 ? r : launch_place_fd(wanted[2], KEEPER_FD_PROGRAM);
    r = r < 0 ? r : launch_place_fd(wanted[3], KEEPER_FD_HOST);
    r = r < 0 ? r : launch_place_fd(wanted[4], KEEPER_FD_SYMBOLIZER);
    if (r == 0 && syscall(SYS_close_range, KEEPER_FD_END, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
        r = -errno;
    }
    *ret_program = wanted[0];
    return r;
}

CHILD_SIDE static void run_keeper(void *argument)
{
    struct plan *plan = argument;
    int program = -1;
    launch_reset_signals();
    int r = keep_ids(plan);
    r = r < 0 ? r : place_fds(plan->launch, &program);
    if (r == 0) {
        (void)syscall(SYS_execveat, program, "", plan->attempt->argv, plan->environment,
                      AT_EMPTY_PATH);
        r = -errno;
    }
    plan->error = r;
    (void)syscall(SYS_exit, 127);
    __builtin_unreachable();
}

/* ---- The go-between ---------------------------------------------------------------------------- */

/* A child that could not become the keeper is this process's to reap, and its pidfd to close. */
CHILD_SIDE static void try_attempt(struct plan *plan)
{
    unsigned long flags = plan->attempt->flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
    plan->error = 0;
    plan->pidfd = -1;
    long pid = launch_clone_onto(flags, plan->keeper_stack, &plan->pidfd, run_keeper, plan);
    if (pid < 0) {
        plan->error = (int)pid;
        plan->pidfd = -1;
    } else if (plan->error != 0) {
        (void)syscall(SYS_wait4, pid, NULL, __WALL, NULL);
        (void)syscall(SYS_close, plan->pidfd);
        plan->pidfd = -1;
    }
}

CHILD_SIDE static void run_go_between(void *argument)
{
    struct plan *plan = argument;
    for (uint32_t i = 0; i < plan->attempt_count; i++) {
        plan->attempt = &plan->attempts[i];
        try_attempt(plan);
        if (plan->error == 0) {
            break;
        }
    }
    (void)syscall(SYS_exit, 0);
    __builtin_unreachable();
}

/* ---- The host's side --------------------------------------------------------------------------- */

static void add_attempt(struct plan *plan, unsigned long flags, uint32_t mechanisms)
{
    static char name[] = "cordon-keeper";
    struct attempt *attempt = &plan->attempts[plan->attempt_count++];
    attempt->flags = flags;
    (void)snprintf(attempt->namespaces, sizeof attempt->namespaces, "%x", mechanisms);
    attempt->argv[0] = name;
    attempt->argv[KEEPER_ARGUMENT_NAMESPACES] = attempt->namespaces;
    attempt->argv[KEEPER_ARGUMENT_WITHOUT] = plan->without;
    attempt->argv[KEEPER_ARGUMENT_COUNT] = NULL;
}

/*
 * Root makes a PID namespace without a user namespace: in one where root is root, workers could not
 * become nobody.
 */
static void plan_attempts(struct plan *plan)
{
    uint32_t without = plan->launch->without;
    bool pid = !(without & ERRAND_PID_NAMESPACE);
    if (geteuid() == 0 && pid) {
        add_attempt(plan, CLONE_NEWPID, ERRAND_PID_NAMESPACE);
    }
    if (geteuid() != 0 && pid && !(without & ERRAND_USER_NAMESPACE)) {
        add_attempt(plan, CLONE_NEWUSER | CLONE_NEWPID,
                    ERRAND_USER_NAMESPACE | ERRAND_PID_NAMESPACE);
    }
    add_attempt(plan, 0, 0);
}

/* In no namespace: those are among what it tries. */
static void plan_examination(struct plan *plan)
{
    struct attempt *attempt = &plan->attempts[0];
    add_attempt(plan, 0, 0);
    (void)snprintf(attempt->namespaces, sizeof attempt->namespaces, "%s", KEEPER_EXAMINES);
}

/* What a library may want to know of its surroundings; nothing that loads code. */
static bool is_passed_on(const char *variable)
{
    static const char *const names[] = {"TZ=", "LANG=", "LANGUAGE=", "PWD=", "LC_"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void plan_environment(struct plan *plan)
{
    uint32_t count = 0;
    for (char **variable = environ; variable && *variable && count < VARIABLES_MAX; variable++) {
        if (is_passed_on(*variable)) {
            plan->environment[count++] = *variable;
        }
    }
    plan->environment[count] = NULL;
}

static void plan_init(struct plan *plan, const struct launch *launch)
{
    *plan = (struct plan){.launch = launch, .pidfd = -1, .error = -EAGAIN};
    (void)snprintf(plan->without, sizeof plan->without, "%x", launch->without);
    (void)snprintf(plan->uid_map, sizeof plan->uid_map, "%u %u 1", geteuid(), geteuid());
    (void)snprintf(plan->gid_map, sizeof plan->gid_map, "%u %u 1", getegid(), getegid());
    if (launch->examine) {
        plan_examination(plan);
    } else {
        plan_attempts(plan);
    }
    plan_environment(plan);
}

int launch_keeper(const struct launch *launch, int *ret_pidfd)
{
    struct plan *plan = malloc(sizeof *plan);
    unsigned char *stacks = mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    int r = plan && stacks != MAP_FAILED ? 0 : -ENOMEM;
    if (r == 0) {
        plan_init(plan, launch);
        plan->keeper_stack = stacks + STACK_BYTES;
        r = launch_between(run_go_between, plan, stacks + 2 * STACK_BYTES);
        r = r < 0 ? r : plan->error;
    }
    if (r == 0) {
        *ret_pidfd = plan->pidfd;
    }
    if (stacks != MAP_FAILED) {
        (void)munmap(stacks, 2 * STACK_BYTES);
    }
    free(plan);
    return r;
}
