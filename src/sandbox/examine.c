/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/examine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/attempt.h"
#include "sandbox/landlock.h"
#include "sandbox/limits.h"
#include "sandbox/privileges.h"

/*
 * How it works. Each attempt runs in a child, which leaves errno in memory shared with its parent; a child
 * that says nothing was killed, by an outer filter or by the alarm that bounds it.
 */

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u /* Linux 6.3 */
#endif

#define ATTEMPT_SECONDS 2u
#define UNTOLD          (-ESHUTDOWN) /* the child ended without a word */

/* ---- Attempts ---------------------------------------------------------------------------------- */

static int result(long r)
{
    return r < 0 ? -errno : 0;
}

static int try_seccomp(void)
{
    (void)attempt_no_new_privs();
    return attempt_filter(0);
}

static int try_tsync(void)
{
    (void)attempt_no_new_privs();
    return attempt_filter(SECCOMP_FILTER_FLAG_TSYNC);
}

static int set_listening_filter(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    long fd =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    return fd < 0 ? -errno : (int)fd;
}

/* A whole notification: a child's call is seen, refused, and the child has the answer. */
static int try_notify(void)
{
    (void)attempt_no_new_privs();
    OWN_FD listener = set_listening_filter();
    if (listener < 0) {
        return listener;
    }
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(ATTEMPT_SECONDS);
        _exit(getpriority(PRIO_PROCESS, 0) == -1 && errno == EOWNERDEAD ? 0 : 1);
    }
    struct seccomp_notif notification = {0};
    int r = child < 0 ? -errno : result(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification));
    if (r == 0) {
        struct seccomp_notif_resp answer = {.id = notification.id, .error = -EOWNERDEAD};
        r = result(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer));
    }
    int status = -1;
    (void)waitpid(child, &status, 0);
    return r < 0 || status == 0 ? r : -EIO;
}

static int try_landlock(void)
{
    (void)attempt_no_new_privs();
    return attempt_landlock();
}

/* Those of root alone have something to become; others are there already. */
static int try_unprivileged_user(void)
{
    int r = privileges_leave_root();
    return r < 0 ? r : privileges_drop_capabilities();
}

static int wait_for_end(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, __WALL) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? -WEXITSTATUS(status) : UNTOLD;
}

/* clone(2) as fork: the child's exit status is an errno. */
static pid_t fork_into(unsigned long flags)
{
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

static int write_map(void)
{
    OWN_FD fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
    return fd < 0 ? errno : write(fd, "deny", 4) == 4 ? 0 : errno;
}

/* As the keeper is started: an ordinary user needs a user namespace around every other. */
static int try_namespaces(unsigned long flags)
{
    pid_t child = fork_into(flags);
    if (child == 0) {
        _exit(flags & CLONE_NEWUSER ? write_map() : 0);
    }
    return child < 0 ? -errno : wait_for_end(child);
}

static int try_user_namespace(void)
{
    return try_namespaces(CLONE_NEWUSER);
}

static int try_pid_namespace(void)
{
    return try_namespaces(CLONE_NEWPID | (geteuid() != 0 ? CLONE_NEWUSER : 0));
}

static int try_network_namespace(void)
{
    return try_namespaces(CLONE_NEWNET | (geteuid() != 0 ? CLONE_NEWUSER : 0));
}

static int try_limits(void)
{
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    return limits_apply(&policy);
}

/* What a keeper does with a worker that hangs; the worker is of the user that workers are. */
static int try_hang_stacks(void)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) {
        return -errno;
    }
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(ATTEMPT_SECONDS);
        (void)privileges_leave_root();
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as exec makes it */
        (void)!write(ready[1], "", 1);
        for (;;) {
            (void)pause();
        }
    }
    char byte;
    int status = 0;
    int r = child < 0 || read(ready[0], &byte, 1) != 1 ? -ECHILD : 0;
    r = r < 0 ? r : result(ptrace(PTRACE_SEIZE, child, 0, 0));
    r = r < 0 ? r : result(ptrace(PTRACE_INTERRUPT, child, 0, 0));
    if (r == 0 && (waitpid(child, &status, __WALL) != child || !WIFSTOPPED(status))) {
        r = -ECHILD;
    }
    if (r == 0) {
        errno = 0;
        (void)ptrace(PTRACE_PEEKDATA, child, &byte, 0);
        r = -errno;
    }
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, __WALL);
    }
    return r;
}

static int try_pidfd(void)
{
    OWN_FD fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return fd < 0 ? -errno : result(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}

static int try_sealed_memory(void)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    OWN_FD fd = memfd_create("cordon-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : result(fcntl(fd, F_ADD_SEALS, seals));
}

/* Its interpreter does not exist: ENOENT says that running it was allowed. */
static int try_run_from_memory(void)
{
    static const char program[] = "#!/nonexistent/cordon\n";
    static char name[] = "probe";
    char *const argv[] = {name, NULL};
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    OWN_FD fd = memfd_create("cordon-probe", flags | MFD_EXEC);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create("cordon-probe", flags);
    }
    if (fd < 0 || write(fd, program, sizeof program - 1) < 0) {
        return -errno;
    }
    (void)syscall(SYS_execveat, fd, "", argv, argv + 1, AT_EMPTY_PATH);
    return errno == ENOENT ? 0 : -errno;
}

/* The word has another value already: nothing is waited for. */
static int try_futex_waitv(void)
{
    uint32_t word = 1;
    struct futex_waitv waiter = {.val = 0, .uaddr = (uintptr_t)&word, .flags = FUTEX_32};
    long r = syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, 0);
    return r >= 0 || errno == EAGAIN ? 0 : -errno;
}

static int (*const attempts[EXAMINED_COUNT])(void) = {
    [EXAMINED_SECCOMP] = try_seccomp,
    [EXAMINED_SECCOMP_NOTIFY] = try_notify,
    [EXAMINED_SECCOMP_TSYNC] = try_tsync,
    [EXAMINED_LANDLOCK] = try_landlock,
    [EXAMINED_NO_NEW_PRIVS] = attempt_no_new_privs,
    [EXAMINED_UNPRIVILEGED_USER] = try_unprivileged_user,
    [EXAMINED_USER_NAMESPACE] = try_user_namespace,
    [EXAMINED_PID_NAMESPACE] = try_pid_namespace,
    [EXAMINED_NETWORK_NAMESPACE] = try_network_namespace,
    [EXAMINED_LIMITS] = try_limits,
    [EXAMINED_HANG_STACKS] = try_hang_stacks,
    [EXAMINED_PIDFD] = try_pidfd,
    [EXAMINED_SEALED_MEMORY] = try_sealed_memory,
    [EXAMINED_RUN_FROM_MEMORY] = try_run_from_memory,
    [EXAMINED_FUTEX_WAITV] = try_futex_waitv,
    [EXAMINED_GUARD_PAGES] = attempt_guard_pages,
};

/* ---- The table --------------------------------------------------------------------------------- */

static int attempt_in_child(int (*attempt)(void), volatile int *told)
{
    *told = UNTOLD;
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(2 * ATTEMPT_SECONDS);
        *told = attempt();
        _exit(0);
    }
    if (child < 0) {
        return -errno;
    }
    while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR) {
    }
    return *told;
}

void examine_platform(struct examination *ret_examination)
{
    *ret_examination =
        (struct examination){.magic = EXAMINATION_MAGIC, .version = EXAMINATION_VERSION};
    volatile int *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int item = 0; item < EXAMINED_COUNT; item++) {
        struct examination_row *row = &ret_examination->rows[item];
        int r = told == MAP_FAILED ? -ENOMEM : attempt_in_child(attempts[item], told);
        row->state = r == 0 ? EXAMINED_THERE : EXAMINED_MISSING;
        row->error = -r;
        if (item == EXAMINED_LANDLOCK && r == 0) {
            row->version = (uint32_t)landlock_version();
        }
        examine_explain((enum examination_item)item, row);
    }
    if (told != MAP_FAILED) {
        (void)munmap((void *)(uintptr_t)told, sizeof *told);
    }
}
