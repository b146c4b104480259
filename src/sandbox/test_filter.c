/* SPDX-License-Identifier: Apache-2.0 */
/* What the filter lets pass, by itself. */
#include "sandbox/test_claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "lane/errand.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
