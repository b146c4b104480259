/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "policy/compile.h"
#include "sandbox/landlock.h"
#include "sandbox/limits.h"
#include "sandbox/privileges.h"
#include "sandbox/probe.h"
#include "sandbox/sandbox.h"

#define ALARM_CALL   41000u
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

/* What the kernel gives a worker whose policy is @policy; never returns without it. */
static void enter_policy(const struct policy *policy, uint32_t mechanisms)
{
    struct sandbox_wish wish = {.policy = policy,
                                .mechanisms = mechanisms | ERRAND_NO_NEW_PRIVILEGES,
                                .library = "",
                                .alarm_call = ALARM_CALL};
    struct sandbox sandbox = SANDBOX_NONE;
    struct message why = {.text = ""};
    CLAIM(sandbox_leave_root(&wish, &why) == 0);
    CLAIM(sandbox_enter(&wish, &sandbox, &why) == 0);
    CLAIM(sandbox_seal(&wish, &sandbox, &why) == 0);
}

static void enter(enum policy_preset preset, uint32_t mechanisms)
{
    struct policy policy;
    policy_init(&policy, preset);
    policy.memory_bytes = 0;
    enter_policy(&policy, mechanisms);
}

/* Strict, and these. */
static void enter_grants(const char *const *grants, uint32_t mechanisms)
{
    struct policy policy;
    struct policy_wish wish = {.grants = grants};
    CLAIM(policy_compile(&wish, &policy, NULL) == 0);
    policy.memory_bytes = 0;
    enter_policy(&policy, mechanisms);
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
    enter(POLICY_STRICT, ERRAND_SECCOMP);
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
    enter(POLICY_STRICT, ERRAND_SECCOMP);
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
    enter(POLICY_STRICT, ERRAND_SECCOMP);
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
    CLAIM(syscall(ALARM_CALL, 0, 0, 0) == -1 && errno == ENOSYS);
    CLAIM(syscall(SYS_openat2, 0, 0, 0, 0) == -1 && errno == ENOSYS);
}

static void test_deep_interfaces_are_denied(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_no_depths);
}

static void claim_network(void)
{
    enter(POLICY_NETWORK, ERRAND_SECCOMP);
    CLAIM(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
    CLAIM(socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP) >= 0 || errno == EAFNOSUPPORT);
    CLAIM(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0);
    CLAIM(refused(socket(AF_NETLINK, SOCK_RAW, 9 /* audit */)));
    CLAIM(refused(socket(AF_INET, SOCK_STREAM, 262 /* MPTCP */)));
    CLAIM(refused(socket(AF_INET, SOCK_RAW, IPPROTO_TCP)));
    CLAIM(refused(socket(AF_PACKET, SOCK_DGRAM, 0)));
    CLAIM(refused(socket(AF_UNIX, SOCK_STREAM, 0)));
    CLAIM(fork() == -1 && errno == EPERM);
}

static void test_network_policy_has_sockets_and_no_processes(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_network);
}

static void claim_unix(void)
{
    static const char *const grants[] = {"unix", NULL};
    int pair[2];
    enter_grants(grants, ERRAND_SECCOMP);
    CLAIM(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    CLAIM(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    CLAIM(refused(socket(AF_INET, SOCK_STREAM, 0)));
}

static void claim_pairs(void)
{
    int pair[2];
    enter(POLICY_STRICT, ERRAND_SECCOMP);
    CLAIM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    CLAIM(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    CLAIM(refused(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)));
    CLAIM(refused(socketpair(AF_TIPC, SOCK_STREAM, 0, pair)));
}

static void test_pairs_reach_nobody(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_pairs);
    expect(claim_unix);
}

/* With one port granted a connection has to be made where Landlock sees it. */
static void claim_no_fast_open(void)
{
    static const char *const grants[] = {"connect:9", NULL};
    enter_grants(grants, ERRAND_SECCOMP);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(10), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CLAIM(fd >= 0);
    CLAIM(refused(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof address)));
    CLAIM(refused(listen(fd, 1)));
    CLAIM(refused(bind(fd, (struct sockaddr *)&address, sizeof address)));
}

static void test_ports_cannot_be_passed_by(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_no_fast_open);
}

static void claim_call_by_name(void)
{
    static const char *const grants[] = {"syscall:personality", "syscall:kill", NULL};
    pid_t parent = getppid();
    enter_grants(grants, ERRAND_SECCOMP);
    CLAIM(syscall(SYS_personality, 0xffffffff) >= 0);
    CLAIM(kill(parent, 0) == 0);
    CLAIM(refused(syscall(SYS_tkill, parent, 0)));
}

static void test_system_call_is_granted_by_its_name(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_call_by_name);
}

static void claim_own_network(void)
{
    static const char *const grants[] = {"sockets", NULL};
    enter_grants(grants, ERRAND_SECCOMP | ERRAND_LANDLOCK | ERRAND_UNPRIVILEGED_USER);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int other = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    CLAIM(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CLAIM(listen(fd, 1) == 0 && getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    CLAIM(connect(other, (struct sockaddr *)&address, sizeof address) == 0);
    address.sin_addr.s_addr = htonl(0x08080808);
    CLAIM(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address) ==
          -1);
    CLAIM(errno == ENETUNREACH);
    CLAIM(refused(socket(AF_UNIX, SOCK_STREAM, 0)));
    CLAIM(setuid(0) == -1 || getuid() != 0);
}

static void test_granted_sockets_live_in_a_network_of_their_own(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP | ERRAND_LANDLOCK | ERRAND_UNPRIVILEGED_USER);
    pid_t child = fork();
    if (child == 0) {
        _exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0) {
        print_message("network namespaces cannot be had here\n");
        skip();
    }
    expect(claim_own_network);
}

static void claim_no_writing_by_flags(void)
{
    enter(POLICY_STRICT, ERRAND_SECCOMP);
    CLAIM(open("/dev/null", O_WRONLY) == -1 && errno == EACCES);
    CLAIM(open("/tmp/cordon-never", O_RDONLY | O_CREAT, 0600) == -1 && errno == EACCES);
    CLAIM(refused(mkdir("/tmp/cordon-never", 0700)));
    CLAIM(open("/dev/null", O_RDONLY) == -1 && errno == EACCES);
}

static void test_without_landlock_nothing_is_opened(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_no_writing_by_flags);
}

/* A file that was given for appending, as standard error is, keeps what is in it. */
static void claim_appended_file_is_kept(void)
{
    static const char text[] = "before";
    char after[] = "after!";
    char now[sizeof text] = "";
    struct iovec part = {.iov_base = after, .iov_len = 6};
    OWN_FD file = memfd_create("log", MFD_CLOEXEC);
    CLAIM(write(file, text, sizeof text) == sizeof text);
    CLAIM(fcntl(file, F_SETFL, O_APPEND) == 0);
    enter(POLICY_STRICT, ERRAND_SECCOMP);
    CLAIM(refused(ftruncate(file, 0)));
    CLAIM(refused(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1)));
    CLAIM(refused(fcntl(file, F_SETFL, 0)));
    CLAIM(refused(fcntl(file, F_SETFL, O_NONBLOCK)));
    CLAIM(refused(pwritev2(file, &part, 1, 0, 0x20 /* RWF_NOAPPEND */)));
    CLAIM(refused(ioctl(file, 0x40305829 /* FS_IOC_RESVSP */, NULL)));
    CLAIM(refused(ioctl(file, 0x40049409 /* FICLONE */, 0)));
    CLAIM(refused(syscall(SYS_io_submit, 0, 0, NULL)));
    CLAIM(fcntl(file, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
    CLAIM(lseek(file, 0, SEEK_SET) == 0 && write(file, "after!", 6) == 6);
    CLAIM(pread(file, now, sizeof now, 0) == sizeof now && memcmp(now, text, sizeof now) == 0);
}

static void claim_granted_file_is_cut(void)
{
    static const char *const grants[] = {"write:/tmp", NULL};
    OWN_FD file = memfd_create("log", MFD_CLOEXEC);
    enter_grants(grants, ERRAND_SECCOMP);
    CLAIM(ftruncate(file, 100) == 0);
    CLAIM(fcntl(file, F_SETFL, 0) == 0);
}

static void test_what_was_given_for_appending_keeps_its_content(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP);
    expect(claim_appended_file_is_kept);
    expect(claim_granted_file_is_cut);
}

static int pipe_to_thread[2];

static void *try_opening_when_told(void *argument)
{
    char go;
    (void)argument;
    CLAIM(read(pipe_to_thread[0], &go, 1) == 1);
    CLAIM(open("/usr/lib", O_RDONLY) == -1 && errno == EACCES);
    return NULL;
}

/* A constructor may have made threads before stage two: Landlock's second layer misses them. */
static void claim_seal_reaches_threads(void)
{
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    struct sandbox_wish wish = {.policy = &policy,
                                .mechanisms =
                                    ERRAND_SECCOMP | ERRAND_LANDLOCK | ERRAND_NO_NEW_PRIVILEGES,
                                .library = "",
                                .alarm_call = ALARM_CALL};
    struct sandbox sandbox = SANDBOX_NONE;
    struct message why;
    pthread_t thread;
    CLAIM(pipe(pipe_to_thread) == 0);
    CLAIM(sandbox_enter(&wish, &sandbox, &why) == 0);
    CLAIM(open("/usr/lib", O_RDONLY) >= 0);
    CLAIM(pthread_create(&thread, NULL, try_opening_when_told, NULL) == 0);
    CLAIM(sandbox_seal(&wish, &sandbox, &why) == 0);
    CLAIM(write(pipe_to_thread[1], "x", 1) == 1);
    CLAIM(pthread_join(thread, NULL) == 0);
}

static void test_seal_reaches_every_thread(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP | ERRAND_LANDLOCK);
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
    enter(POLICY_STRICT, ERRAND_LANDLOCK);
    CLAIM(open(path, O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open(path, O_WRONLY) == -1 && errno == EACCES);
    CLAIM(unlink(path) == -1 && errno == EACCES);
    CLAIM(open("/proc/1/environ", O_RDONLY) == -1);
    CLAIM(open("/usr/include/stdio.h", O_RDONLY) == -1);
    CLAIM(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open("/usr/lib", O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open("/dev/null", O_RDWR) == -1 && errno == EACCES);
    CLAIM(write(before, "x", 1) == 1);
}

static void test_strict_policy_opens_nothing_once_loaded(void **state)
{
    (void)state;
    need(ERRAND_LANDLOCK);
    expect(claim_files_by_path);
}

static void claim_all_files(void)
{
    char path[sizeof secret_folder + 8];
    (void)snprintf(path, sizeof path, "%s/written", secret_folder);
    enter(POLICY_FILES, ERRAND_LANDLOCK | ERRAND_SECCOMP);
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

/* While it is loaded, and no longer. */
static void claim_library_folder(void)
{
    char path[sizeof secret_folder + 8];
    (void)snprintf(path, sizeof path, "%s/libx.so", secret_folder);
    OWN_FD before = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    CLAIM(before >= 0 && chdir("/usr") == 0 && privileges_forbid_new() == 0);
    int seal;
    CLAIM(landlock_enter(&policy, path) == 0);
    CLAIM(landlock_prepare_seal(&policy, &seal) == 0 && seal >= 0);
    CLAIM(open(path, O_RDONLY) >= 0);
    CLAIM(open("/usr/lib", O_RDONLY) >= 0);
    CLAIM(open("/etc/ld.so.cache", O_RDONLY) >= 0 || errno == ENOENT);
    CLAIM(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open("/proc/self/maps", O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open(path, O_WRONLY) == -1 && errno == EACCES);
    CLAIM(landlock_seal(seal) == 0);
    CLAIM(open(path, O_RDONLY) == -1 && errno == EACCES);
}

static void test_folder_of_the_library_is_readable_while_loading(void **state)
{
    (void)state;
    need(ERRAND_LANDLOCK);
    expect(claim_library_folder);
}

static void claim_granted_paths(void)
{
    char path[sizeof secret_folder + 16];
    char reads[sizeof path + 8];
    char writes[sizeof path + 8];
    (void)snprintf(path, sizeof path, "%s/w", secret_folder);
    (void)snprintf(reads, sizeof reads, "read:%s", secret_folder);
    (void)snprintf(writes, sizeof writes, "write:%s", path);
    const char *const grants[] = {reads, writes, "device:/dev/zero", NULL};
    CLAIM(mkdir(path, 0777) == 0 && chmod(path, 0777) == 0);
    enter_grants(grants, ERRAND_LANDLOCK | ERRAND_SECCOMP);
    CLAIM(open(secret_folder, O_RDONLY) >= 0);
    CLAIM(open("/dev/zero", O_RDWR) >= 0);
    CLAIM(open("/dev/null", O_RDONLY) == -1 && errno == EACCES);
    (void)strcat(path, "/x");
    CLAIM(open(path, O_RDWR | O_CREAT, 0600) >= 0);
    CLAIM(refused(chmod(path, 0777))); /* Landlock would not look where */
    CLAIM(truncate(path, 10) == 0);
    CLAIM(unlink(path) == 0);
    (void)snprintf(path, sizeof path, "%s/x", secret_folder);
    CLAIM(open(path, O_RDWR | O_CREAT, 0600) == -1 && errno == EACCES);
    CLAIM(mkdir(path, 0700) == -1 && errno == EACCES);
}

static void test_granted_paths_are_open(void **state)
{
    (void)state;
    need(ERRAND_LANDLOCK | ERRAND_SECCOMP);
    expect(claim_granted_paths);
}

/* ---- Limits and privileges --------------------------------------------------------------------- */

static void claim_limits(void)
{
    struct rlimit limit;
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    policy.memory_bytes = 64u << 20;
    policy.file_bytes = 100;
    policy.cpu_ms = 1500;
    policy.fds = 20;
    OWN_FD file = memfd_create("file", MFD_CLOEXEC);
    CLAIM(limits_apply(&policy) == 0);
    CLAIM(pwrite(file, "x", 1, 99) == 1);
    CLAIM(pwrite(file, "x", 1, 100) == -1 && errno == EFBIG);
    CLAIM(getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_cur == 2 && limit.rlim_max == 3);
    CLAIM(fcntl(0, F_DUPFD, 20) == -1);
    CLAIM(malloc(32u << 20) != NULL);
    CLAIM(malloc(128u << 20) == NULL);
    CLAIM(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max <= 1);
    CLAIM(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max == 20);
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
    enter(POLICY_TRUSTED, ERRAND_UNPRIVILEGED_USER);
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
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    struct sandbox_wish wish = {
        .policy = &policy, .mechanisms = ERRAND_SECCOMP, .library = "", .alarm_call = ALARM_CALL};
    struct sandbox sandbox = SANDBOX_NONE;
    struct message why;
    CLAIM(privileges_leave_root() == 0); /* and no_new_privs is not set */
    CLAIM(sandbox_enter(&wish, &sandbox, &why) == -EACCES);
    CLAIM(strcmp(why.text, "the sandbox cannot be entered: seccomp: Permission denied") == 0);
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
    char folder[sizeof secret_folder + 16];
    (void)snprintf(folder, sizeof folder, "%s/w", secret_folder);
    (void)rmdir(folder);
    return rmdir(secret_folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes_are_denied_and_threads_are_not),
        cmocka_unit_test(test_only_own_process_can_be_signalled),
        cmocka_unit_test(test_deep_interfaces_are_denied),
        cmocka_unit_test(test_network_policy_has_sockets_and_no_processes),
        cmocka_unit_test(test_pairs_reach_nobody),
        cmocka_unit_test(test_ports_cannot_be_passed_by),
        cmocka_unit_test(test_system_call_is_granted_by_its_name),
        cmocka_unit_test(test_granted_sockets_live_in_a_network_of_their_own),
        cmocka_unit_test(test_without_landlock_nothing_is_opened),
        cmocka_unit_test(test_what_was_given_for_appending_keeps_its_content),
        cmocka_unit_test(test_seal_reaches_every_thread),
        cmocka_unit_test(test_strict_policy_opens_nothing_once_loaded),
        cmocka_unit_test(test_files_policy_writes),
        cmocka_unit_test(test_folder_of_the_library_is_readable_while_loading),
        cmocka_unit_test(test_granted_paths_are_open),
        cmocka_unit_test(test_memory_beyond_the_limit_is_not_given),
        cmocka_unit_test(test_root_becomes_nobody),
        cmocka_unit_test(test_what_cannot_be_had_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
