/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/landlock.h"
#include "sandbox/limits.h"
#include "sandbox/privileges.h"
#include "sandbox/probe.h"
#include "sandbox/sandbox.h"

#define STATUS_HOLDS 77 /* of a child in which everything that was claimed held */

/* A sandbox is for good: each claim is tried in a process of its own. */
typedef void (*claim_fn)(void);

/* In such a process a claim that does not hold ends it, with the line as a trace. */
#define CLAIM(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s (errno %d)\n", __FILE__, __LINE__, #what,    \
                    errno);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void expect(claim_fn claim)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        claim();
        _exit(STATUS_HOLDS);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), STATUS_HOLDS);
}

static void need(uint32_t mechanisms)
{
    if ((probe_mechanisms() & mechanisms) != mechanisms) {
        print_message("this kernel lacks mechanism %#x\n", mechanisms);
        skip();
    }
}

static void enter(enum errand_policy policy, uint32_t mechanisms)
{
    struct sandbox_wish wish = {
        .policy = policy, .mechanisms = mechanisms | ERRAND_NO_NEW_PRIVILEGES, .library = ""};
    struct message why = {.text = ""};
    CLAIM(sandbox_leave_root(&wish, &why) == 0);
    CLAIM(sandbox_enter(&wish, &why) == 0);
    CLAIM(sandbox_seal(&wish, &why) == 0);
}

static bool refused(long result)
{
    return result == -1 && errno == EPERM;
}

/* ---- Seccomp ----------------------------------------------------------------------------------- */

static void *nothing(void *argument)
{
    return argument;
}

static void claim_no_processes(void)
{
    enter(ERRAND_POLICY_STRICT, ERRAND_SECCOMP);
    CLAIM(refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
    CLAIM(refused(syscall(SYS_clone, CLONE_VM | SIGCHLD, 0, 0, 0, 0)));
    CLAIM(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
    CLAIM(fork() == -1 && errno == EPERM);
    CLAIM(execl("/bin/true", "true", NULL) == -1 && errno == EPERM);
    pthread_t thread;
    CLAIM(pthread_create(&thread, NULL, nothing, NULL) == 0);
    CLAIM(pthread_join(thread, NULL) == 0);
}

static void test_processes_are_denied_and_threads_are_not(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_no_processes);
}

static void claim_no_foreign_signals(void)
{
    pid_t parent = getppid();
    enter(ERRAND_POLICY_STRICT, ERRAND_SECCOMP);
    CLAIM(refused(kill(parent, 0)));
    CLAIM(refused(kill(-1, 0)));
    CLAIM(refused(kill(0, 0)));
    CLAIM(kill(getpid(), 0) == 0);
    CLAIM(raise(SIGWINCH) == 0);
    CLAIM(refused(fcntl(STDIN_FILENO, F_SETOWN, parent)));
    CLAIM(refused(syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, parent, 0, 0)));
    CLAIM(refused(syscall(SYS_pidfd_open, parent, 0)));
}

static void test_only_own_process_can_be_signalled(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_no_foreign_signals);
}

static void claim_no_depths(void)
{
    enter(ERRAND_POLICY_STRICT, ERRAND_SECCOMP);
    CLAIM(refused(socket(AF_UNIX, SOCK_STREAM, 0)));
    CLAIM(refused(syscall(SYS_io_uring_setup, 1, NULL)));
    CLAIM(refused(syscall(SYS_userfaultfd, 0)));
    CLAIM(refused(syscall(SYS_bpf, 0, NULL, 0)));
    CLAIM(refused(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0)));
    CLAIM(refused(syscall(SYS_keyctl, 0, 0, 0, 0, 0)));
    CLAIM(refused(unshare(CLONE_NEWUSER)));
    CLAIM(refused(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)));
    CLAIM(refused(memfd_create("x", 0)));
    CLAIM(syscall(100000) == -1 && errno == ENOSYS);
}

static void test_deep_interfaces_are_denied(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_no_depths);
}

static void claim_network(void)
{
    enter(ERRAND_POLICY_NETWORK, ERRAND_SECCOMP);
    CLAIM(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    CLAIM(fork() == -1 && errno == EPERM);
}

static void test_network_policy_has_sockets_and_no_processes(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_network);
}

static void claim_no_writing_by_flags(void)
{
    enter(ERRAND_POLICY_STRICT, ERRAND_SECCOMP);
    CLAIM(refused(open("/dev/null", O_WRONLY)));
    CLAIM(refused(open("/dev/null", O_RDWR)));
    CLAIM(refused(open("/tmp/cordon-never", O_RDONLY | O_CREAT, 0600)));
    CLAIM(refused(mkdir("/tmp/cordon-never", 0700)));
    CLAIM(open("/dev/null", O_RDONLY) >= 0);
}

static void test_without_landlock_nothing_is_opened_for_writing(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_no_writing_by_flags);
}

static int pipe_to_thread[2];

static void *try_memfd_when_told(void *argument)
{
    char go;
    (void)argument;
    CLAIM(read(pipe_to_thread[0], &go, 1) == 1);
    CLAIM(refused(memfd_create("x", 0)));
    return NULL;
}

/* A constructor may have made threads before stage two. */
static void claim_seal_reaches_threads(void)
{
    struct sandbox_wish wish = {.mechanisms = ERRAND_SECCOMP | ERRAND_NO_NEW_PRIVILEGES,
                                .library = ""};
    struct message why;
    pthread_t thread;
    CLAIM(pipe(pipe_to_thread) == 0);
    CLAIM(sandbox_enter(&wish, &why) == 0);
    CLAIM(memfd_create("x", 0) >= 0);
    CLAIM(pthread_create(&thread, NULL, try_memfd_when_told, NULL) == 0);
    CLAIM(sandbox_seal(&wish, &why) == 0);
    CLAIM(write(pipe_to_thread[1], "x", 1) == 1);
    CLAIM(pthread_join(thread, NULL) == 0);
}

static void test_seal_reaches_every_thread(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_seal_reaches_threads);
}

/* ---- Landlock ---------------------------------------------------------------------------------- */

static char secret_folder[] = "/tmp/cordon-secret-XXXXXX";

static void claim_files_by_path(void)
{
    char path[sizeof secret_folder + 8];
    (void)snprintf(path, sizeof path, "%s/secret", secret_folder);
    CLAIM(chdir("/usr") == 0);
    OWN_FD before = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    CLAIM(before >= 0);
    enter(ERRAND_POLICY_STRICT, ERRAND_LANDLOCK);
    CLAIM(open(path, O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open(path, O_WRONLY) == -1 && errno == EACCES);
    CLAIM(unlink(path) == -1 && errno == EACCES);
    CLAIM(open("/proc/1/environ", O_RDONLY) == -1);
    CLAIM(open("/usr/include/stdio.h", O_RDONLY) >= 0 || errno == ENOENT);
    CLAIM(open("/etc/passwd", O_RDONLY) >= 0);
    CLAIM(open("/proc/self/maps", O_RDONLY) >= 0);
    CLAIM(open("/dev/urandom", O_RDONLY) >= 0);
    CLAIM(open("/dev/null", O_RDWR) >= 0);
    CLAIM(write(before, "x", 1) == 1);
}

static void test_strict_policy_reads_what_libraries_need_and_nothing_else(void **state)
{
    (void)state;
    need(ERRAND_LANDLOCK);
    expect(claim_files_by_path);
}

static void claim_all_files(void)
{
    char path[sizeof secret_folder + 8];
    (void)snprintf(path, sizeof path, "%s/written", secret_folder);
    enter(ERRAND_POLICY_FILES, ERRAND_LANDLOCK | ERRAND_SECCOMP);
    CLAIM(open(path, O_WRONLY | O_CREAT, 0600) >= 0);
    CLAIM(unlink(path) == 0);
    CLAIM(refused(socket(AF_UNIX, SOCK_STREAM, 0)));
}

static void test_files_policy_writes(void **state)
{
    (void)state;
    need(ERRAND_LANDLOCK | ERRAND_SECCOMP);
    expect(claim_all_files);
}

static void claim_library_folder(void)
{
    char path[sizeof secret_folder + 8];
    (void)snprintf(path, sizeof path, "%s/libx.so", secret_folder);
    OWN_FD before = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    CLAIM(before >= 0 && chdir("/usr") == 0 && privileges_forbid_new() == 0);
    struct landlock_wish wish = {.library = path};
    CLAIM(landlock_apply(&wish) == 0);
    CLAIM(open(path, O_RDONLY) >= 0);
    CLAIM(open(path, O_WRONLY) == -1 && errno == EACCES);
}

static void test_folder_of_the_library_is_readable(void **state)
{
    (void)state;
    need(ERRAND_LANDLOCK);
    expect(claim_library_folder);
}

/* ---- Limits and privileges --------------------------------------------------------------------- */

static void claim_limits(void)
{
    struct rlimit limit;
    CLAIM(limits_apply(64u << 20) == 0);
    CLAIM(malloc(32u << 20) != NULL);
    CLAIM(malloc(128u << 20) == NULL);
    CLAIM(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max <= 1);
    CLAIM(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max <= LIMITS_FILES);
}

static void test_memory_beyond_the_limit_is_not_given(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the sanitizer's own memory is beyond any limit */
#endif
    expect(claim_limits);
}

static void claim_nobody(void)
{
    uid_t before = geteuid();
    enter(ERRAND_POLICY_TRUSTED, ERRAND_UNPRIVILEGED_USER);
    CLAIM(geteuid() == (before == 0 ? PRIVILEGES_NOBODY : before));
    CLAIM(getgroups(0, NULL) == 0 || before != 0);
    CLAIM(setuid(0) == -1);
    CLAIM(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void test_root_becomes_nobody(void **state)
{
    (void)state;
    need(ERRAND_UNPRIVILEGED_USER);
    expect(claim_nobody);
}

static void claim_mechanism_is_named(void)
{
    struct sandbox_wish wish = {.policy = (enum errand_policy)99,
                                .mechanisms = ERRAND_SECCOMP | ERRAND_NO_NEW_PRIVILEGES,
                                .library = ""};
    struct message why;
    CLAIM(sandbox_enter(&wish, &why) == -EINVAL);
    CLAIM(strcmp(why.text, "the sandbox cannot be entered: seccomp: Invalid argument") == 0);
}

static void test_what_cannot_be_had_is_named(void **state)
{
    (void)state;
    expect(claim_mechanism_is_named);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(secret_folder) && chmod(secret_folder, 0777) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"secret", "libx.so"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[sizeof secret_folder + 16];
        (void)snprintf(path, sizeof path, "%s/%s", secret_folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(secret_folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes_are_denied_and_threads_are_not),
        cmocka_unit_test(test_only_own_process_can_be_signalled),
        cmocka_unit_test(test_deep_interfaces_are_denied),
        cmocka_unit_test(test_network_policy_has_sockets_and_no_processes),
        cmocka_unit_test(test_without_landlock_nothing_is_opened_for_writing),
        cmocka_unit_test(test_seal_reaches_every_thread),
        cmocka_unit_test(test_strict_policy_reads_what_libraries_need_and_nothing_else),
        cmocka_unit_test(test_files_policy_writes),
        cmocka_unit_test(test_folder_of_the_library_is_readable),
        cmocka_unit_test(test_memory_beyond_the_limit_is_not_given),
        cmocka_unit_test(test_root_becomes_nobody),
        cmocka_unit_test(test_what_cannot_be_had_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
