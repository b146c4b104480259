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
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "rig.h"

static const struct rig_start zlib = {.library = "libz.so.1"};
static const struct rig_start libc = {.library = ""};

static uint32_t without; /* enum errand_mechanism: from the command line */

static void open_rig(struct rig *rig, struct rig_start start)
{
    start.without |= without;
    rig_open(rig, &start);
}

static void test_worker_says_hello_and_calls_crc32(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig, zlib);
    assert_int_equal(rig_hello(&rig), LANE_CAME);
    const char text[] = "123456789";
    struct cordon_value args[] = {cordon_uint(0), cordon_in(text, 9)};
    struct rig_answer answer =
        rig_call(&rig, "uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len)", args,
                 2, RIG_PATIENCE_NS);
    assert_int_equal(answer.wait, LANE_CAME);
    assert_int_equal((uint32_t)answer.result, 0xcbf43926u);
    rig_close(&rig);
}

static void test_raised_signal_is_reported_as_the_death(void **state)
{
    (void)state;
    struct rig rig;
    struct lane_death death;
    open_rig(&rig, libc);
    struct cordon_value args[] = {cordon_int(SIGABRT)};
    struct rig_answer answer = rig_call(&rig, "int raise(int sig)", args, 1, RIG_PATIENCE_NS);
    assert_int_equal(answer.wait, LANE_VERDICT);
    assert_int_equal(rig_await_end(&rig, &death), LANE_DIED);
    assert_true(death.code == CLD_KILLED || death.code == CLD_DUMPED);
    assert_int_equal(death.status, SIGABRT);
    rig_close(&rig);
}

static void test_exit_by_the_library_is_reported_with_its_status(void **state)
{
    (void)state;
    struct rig rig;
    struct lane_death death;
    open_rig(&rig, libc);
    struct cordon_value args[] = {cordon_int(7)};
    struct rig_answer answer = rig_call(&rig, "void exit(int status)", args, 1, RIG_PATIENCE_NS);
    assert_int_equal(answer.wait, LANE_VERDICT);
    assert_int_equal(rig_await_end(&rig, &death), LANE_DIED);
    assert_int_equal(death.code, CLD_EXITED);
    assert_int_equal(death.status, 7);
    rig_close(&rig);
}

static void test_worker_killed_from_outside_is_reported_as_died(void **state)
{
    (void)state;
    struct rig rig;
    struct lane_death death;
    pid_t worker;
    open_rig(&rig, zlib);
    assert_int_equal(rig_hello(&rig), LANE_CAME);
    assert_int_equal(rig_children(rig_keeper_pid(), &worker, 1), 1);
    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_int_equal(rig_await_end(&rig, &death), LANE_DIED);
    assert_int_equal(death.code, CLD_KILLED);
    assert_int_equal(death.status, SIGKILL);
    assert_true(keeper_client_alive(rig.keeper));
    rig_close(&rig);
}

static uint64_t resident_bytes_of(pid_t pid)
{
    char path[64];
    unsigned long long pages = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %llu", &pages), 1);
    (void)fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void test_memory_is_measured_when_asked(void **state)
{
    (void)state;
    struct rig rig;
    pid_t worker;
    open_rig(&rig, zlib);
    assert_int_equal(rig_hello(&rig), LANE_CAME);
    const struct lane_host_page *h = lane_peek_h(rig.lane);
    const _Atomic uint64_t *resident = &h->resident_bytes;
    assert_int_equal(atomic_load(resident), 0);
    rig_errand(&rig, ERRAND_MEASURE);
    uint64_t until = clock_after_ns(RIG_PATIENCE_NS);
    while (atomic_load(resident) == 0 && clock_now_ns() < until) {
        (void)sched_yield();
    }
    assert_int_equal(rig_children(rig_keeper_pid(), &worker, 1), 1);
    assert_int_equal(atomic_load(resident), resident_bytes_of(worker));
    rig_close(&rig);
}

static void test_workers_vanish_with_a_killed_keeper(void **state)
{
    (void)state;
    struct rig rig;
    pid_t worker;
    open_rig(&rig, zlib);
    assert_int_equal(rig_hello(&rig), LANE_CAME);
    pid_t keeper = rig_keeper_pid();
    assert_int_equal(rig_children(keeper, &worker, 1), 1);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_true(rig_await_no_process(keeper));
    assert_true(rig_await_no_process(worker));
    assert_false(keeper_client_alive(rig.keeper));
    rig_close(&rig);
}

/* A host that forked: its child holds the keeper's socket, and must not keep the keeper alive. */
static void test_everything_vanishes_with_a_killed_host(void **state)
{
    (void)state;
    int pipe_fds[2];
    pid_t pids[3];
    assert_int_equal(pipe(pipe_fds), 0);
    OWN_FD reading = pipe_fds[0];
    OWN_FD writing = pipe_fds[1];
    pid_t host = fork();
    if (host == 0) {
        struct rig rig;
        open_rig(&rig, zlib);
        (void)rig_hello(&rig);
        pids[0] = rig_keeper_pid();
        (void)rig_children(pids[0], &pids[1], 1);
        pids[2] = fork();
        if (pids[2] > 0) {
            (void)!write(writing, pids, sizeof pids);
        }
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(read(reading, pids, sizeof pids), sizeof pids);
    assert_int_equal(kill(host, SIGKILL), 0);
    assert_int_equal(waitpid(host, NULL, 0), host);
    bool gone = rig_await_no_process(pids[0]) && rig_await_no_process(pids[1]);
    assert_int_equal(kill(pids[2], SIGKILL), 0);
    assert_true(gone);
}

static _Atomic int signals_seen;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals_seen, 1);
}

static void test_host_sees_no_child_and_no_sigchld(void **state)
{
    (void)state;
    struct rig rig;
    struct sigaction counting = {.sa_handler = count_signal};
    struct sigaction before;
    assert_int_equal(sigaction(SIGCHLD, &counting, &before), 0);
    open_rig(&rig, zlib);
    assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(rig_hello(&rig), LANE_CAME);
    rig_close(&rig);
    assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(atomic_load(&signals_seen), 0);
    struct sigaction after;
    assert_int_equal(sigaction(SIGCHLD, &before, &after), 0);
    assert_ptr_equal(after.sa_handler, count_signal);
}

static _Atomic bool reaper_ends;
static _Atomic int reaped;

static void *reap_everything(void *argument)
{
    while (!atomic_load(&reaper_ends)) {
        if (waitpid(-1, NULL, 0) > 0) {
            atomic_fetch_add(&reaped, 1);
        }
        (void)sched_yield();
    }
    return argument;
}

/* A host with a thread that waits for every child, and SIGCHLD ignored. */
static void test_host_that_reaps_everything_finds_nothing(void **state)
{
    (void)state;
    pthread_t reaper;
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    assert_int_equal(pthread_create(&reaper, NULL, reap_everything, NULL), 0);
    for (int i = 0; i < 10; i++) {
        struct rig rig;
        open_rig(&rig, zlib);
        assert_int_equal(rig_hello(&rig), LANE_CAME);
        rig_close(&rig);
    }
    atomic_store(&reaper_ends, true);
    assert_int_equal(pthread_join(reaper, NULL), 0);
    assert_int_equal(atomic_load(&reaped), 0);
    (void)signal(SIGCHLD, before);
}

static void test_programs_that_are_not_there_are_named(void **state)
{
    (void)state;
    struct keeper_client *keeper = NULL;
    struct message why;
    int fds = rig_count_fds();
    struct keeper_options options = {.keeper_path = "/nowhere/cordon-keeper"};
    assert_int_equal(keeper_client_start(&options, &keeper, &why), -ENOENT);
    assert_string_equal(why.text, "/nowhere/cordon-keeper: No such file or directory");
    options = (struct keeper_options){.worker_path = "/nowhere/cordon-worker"};
    assert_int_equal(keeper_client_start(&options, &keeper, &why), -ENOENT);
    assert_string_equal(why.text, "/nowhere/cordon-worker: No such file or directory");
    options = (struct keeper_options){.keeper_path = "/etc/passwd"};
    assert_int_equal(keeper_client_start(&options, &keeper, &why), -EACCES);
    assert_string_equal(why.text, "the keeper program cannot be run: Permission denied");
    options = (struct keeper_options){.keeper_path = "/bin/true"};
    assert_int_equal(keeper_client_start(&options, &keeper, &why), -EPIPE);
    assert_string_equal(why.text, "the keeper ended before it said hello");
    assert_null(keeper);
    assert_int_equal(rig_count_fds(), fds);
}

static void test_signal_mask_stays_and_descriptors_are_given_back(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t before = 0; /* as the kernel keeps it: a sigset_t has unused bytes behind */
    uint64_t after = 0;
    int fds = rig_count_fds();
    assert_int_equal(syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &before, sizeof before), 0);
    open_rig(&rig, zlib);
    assert_int_equal(rig_hello(&rig), LANE_CAME);
    rig_close(&rig);
    assert_int_equal(syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &after, sizeof after), 0);
    assert_int_equal(before, after);
    assert_int_equal(rig_count_fds(), fds);
}

static void expect_failed_start(struct rig_start start, const char *part)
{
    struct rig rig;
    struct lane_death death;
    open_rig(&rig, start);
    assert_int_equal(rig_await_end(&rig, &death), LANE_START_FAILED);
    if (!strstr(death.text, part)) {
        fail_msg("\"%s\" is not in \"%s\"", part, death.text);
    }
    rig_close(&rig);
}

static void test_missing_library_is_named(void **state)
{
    (void)state;
    expect_failed_start((struct rig_start){.library = "libnone.so.9"}, "libnone.so.9: cannot open");
    expect_failed_start((struct rig_start){.library = "/nowhere/libnone.so"},
                        "/nowhere/libnone.so: cannot be opened: No such file or directory");
    expect_failed_start((struct rig_start){.library = "/etc/passwd"},
                        "/etc/passwd: not an ELF file (starts with \"root:x:0\")");
}

static void test_hanging_constructor_is_ended_in_time(void **state)
{
    (void)state;
    expect_failed_start(
        (struct rig_start){.library = LIFE_HANGS, .start_timeout_ns = 300 * CLOCK_MS_NS},
        "did not finish loading within 300 ms");
}

static void test_crashing_constructor_is_told_apart(void **state)
{
    (void)state;
    expect_failed_start((struct rig_start){.library = LIFE_CRASHES}, "signal 11");
}

static void test_late_call_ends_its_worker(void **state)
{
    (void)state;
    struct rig rig;
    struct lane_death death;
    open_rig(&rig, libc);
    struct rig_answer answer = rig_call(&rig, "int pause(void)", NULL, 0, 100 * CLOCK_MS_NS);
    assert_int_equal(answer.wait, LANE_VERDICT);
    assert_int_equal(rig_await_end(&rig, &death), LANE_DEADLINE);
    assert_int_equal(death.status, SIGKILL);
    rig_close(&rig);
}

static void test_processes_left_behind_end_before_the_lane_is_gone(void **state)
{
    (void)state;
    struct rig rig;
    struct lane_death death;
    pid_t left[4];
    open_rig(&rig, (struct rig_start){.library = "", .policy = POLICY_TRUSTED});
    struct cordon_value args[] = {cordon_string("sleep 1000 & sleep 1000 &")};
    struct rig_answer answer =
        rig_call(&rig, "int system(const char *command)", args, 1, RIG_PATIENCE_NS);
    assert_int_equal(answer.wait, LANE_CAME);
    assert_int_equal(answer.result, 0);
    pid_t keeper = rig_keeper_pid();
    assert_int_equal(rig_children(keeper, left, 4), 3);
    struct cordon_value killed[] = {cordon_int(SIGKILL)};
    answer = rig_call(&rig, "int raise(int sig)", killed, 1, RIG_PATIENCE_NS);
    assert_int_equal(answer.wait, LANE_VERDICT);
    assert_int_equal(rig_await_end(&rig, &death), LANE_DIED);
    assert_int_equal(rig_children(keeper, left, 4), 0);
    rig_close(&rig);
}

static void test_strict_policy_refuses_sockets_processes_and_signals(void **state)
{
    (void)state;
    struct rig rig;
    if (without & ERRAND_SECCOMP) {
        skip();
    }
    open_rig(&rig, libc);
    struct cordon_value socket_args[] = {cordon_int(AF_UNIX), cordon_int(SOCK_STREAM),
                                         cordon_int(0)};
    struct rig_answer answer = rig_call(&rig, "int socket(int domain, int type, int protocol)",
                                        socket_args, 3, RIG_PATIENCE_NS);
    assert_int_equal(answer.result, -1);
    assert_int_equal(answer.error_number, EPERM);
    answer = rig_call(&rig, "int fork(void)", NULL, 0, RIG_PATIENCE_NS);
    assert_int_equal(answer.result, -1);
    assert_int_equal(answer.error_number, EPERM);
    struct cordon_value kill_args[] = {cordon_int(-1), cordon_int(SIGKILL)};
    answer = rig_call(&rig, "int kill(int pid, int sig)", kill_args, 2, RIG_PATIENCE_NS);
    assert_int_equal(answer.result, -1);
    assert_int_equal(answer.error_number, EPERM);
    assert_int_equal(rig_hello(&rig), LANE_CAME);
    rig_close(&rig);
}

/* Standard error may be the user's terminal: a library may print there, and read no key. */
static void test_terminal_of_the_host_cannot_be_read(void **state)
{
    (void)state;
    struct rig rig;
    OWN_FD master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    OWN_FD terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    OWN_FD before = dup(STDERR_FILENO);
    assert_true(terminal >= 0 && dup2(terminal, STDERR_FILENO) >= 0);
    open_rig(&rig, libc);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    assert_int_equal(write(master, "secret\n", 7), 7);
    char text[16] = "";
    struct cordon_value args[] = {cordon_int(STDERR_FILENO), cordon_out(text, sizeof text),
                                  cordon_uint(sizeof text)};
    struct rig_answer answer =
        rig_call(&rig, "long read(int fd, out char text[count], unsigned long count)", args, 3,
                 RIG_PATIENCE_NS);
    assert_int_equal(answer.wait, LANE_CAME);
    assert_int_equal(answer.result, -1);
    assert_int_equal(answer.error_number, EBADF);
    rig_close(&rig);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--without-namespaces-landlock-guards") == 0) {
        without =
            ERRAND_USER_NAMESPACE | ERRAND_PID_NAMESPACE | ERRAND_LANDLOCK | ERRAND_MADV_GUARD;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_says_hello_and_calls_crc32),
        cmocka_unit_test(test_raised_signal_is_reported_as_the_death),
        cmocka_unit_test(test_exit_by_the_library_is_reported_with_its_status),
        cmocka_unit_test(test_worker_killed_from_outside_is_reported_as_died),
        cmocka_unit_test(test_memory_is_measured_when_asked),
        cmocka_unit_test(test_workers_vanish_with_a_killed_keeper),
        cmocka_unit_test(test_everything_vanishes_with_a_killed_host),
        cmocka_unit_test(test_host_sees_no_child_and_no_sigchld),
        cmocka_unit_test(test_host_that_reaps_everything_finds_nothing),
        cmocka_unit_test(test_programs_that_are_not_there_are_named),
        cmocka_unit_test(test_signal_mask_stays_and_descriptors_are_given_back),
        cmocka_unit_test(test_missing_library_is_named),
        cmocka_unit_test(test_hanging_constructor_is_ended_in_time),
        cmocka_unit_test(test_crashing_constructor_is_told_apart),
        cmocka_unit_test(test_late_call_ends_its_worker),
        cmocka_unit_test(test_processes_left_behind_end_before_the_lane_is_gone),
        cmocka_unit_test(test_terminal_of_the_host_cannot_be_read),
        cmocka_unit_test(test_strict_policy_refuses_sockets_processes_and_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
