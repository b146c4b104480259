/* SPDX-License-Identifier: Apache-2.0 */

/* Cordon leaves the host's process as it found it, and the host may fork. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/harness.h"

static volatile sig_atomic_t children_signalled;

static void on_child(int number)
{
    (void)number;
    children_signalled++;
}

static void call_and_crash(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_function *raise_ = harness_bind(cell, "int raise(int sig)");
    struct cordon_value arg = cordon_int(-2);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(harness_value(NULL, absolute, &arg, 1).i, 2);
        struct cordon_value signal_number = cordon_int(SIGSEGV);
        struct cordon_result result;
        harness_expect(cordon_call(raise_, &signal_number, 1, CORDON_DEFAULT, &result),
                       CORDON_CRASHED, &result);
        assert_int_equal(result.signal, SIGSEGV);
    }
    cordon_cell_close(cell);
}

static void test_host_sees_no_child_and_no_sigchld(const struct harness *harness)
{
    struct sigaction action = {.sa_handler = on_child};
    struct sigaction before;
    assert_int_equal(sigaction(SIGCHLD, &action, &before), 0);
    call_and_crash(harness);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(children_signalled, 0);
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
}

static void test_a_host_that_ignores_sigchld_is_served(const struct harness *harness)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    struct sigaction before;
    assert_int_equal(sigaction(SIGCHLD, &action, &before), 0);
    call_and_crash(harness);
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
}

static void test_library_cannot_change_the_hosts_state(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *umask_ = harness_bind(cell, "unsigned umask(unsigned mask)");
    struct cordon_function *setenv_ =
        harness_bind(cell, "int setenv(const char *name, const char *value, int overwrite)");
    struct cordon_function *close_ = harness_bind(cell, "int close(int fd)");
    struct cordon_function *ignore =
        harness_bind(cell, "uintptr_t signal(int number, uintptr_t handler)");
    mode_t mask = umask(0);
    (void)umask(mask);
    (void)harness_call(session, umask_, (struct cordon_value[]){cordon_uint(0777)}, 1);
    (void)harness_call(
        session, setenv_,
        (struct cordon_value[]){cordon_string("CORDON_CHANGED"), cordon_string("1"), cordon_int(1)},
        3);
    (void)harness_call(session, close_, (struct cordon_value[]){cordon_int(1)}, 1);
    (void)harness_call(session, ignore,
                       (struct cordon_value[]){cordon_int(SIGUSR1), cordon_uint(1)}, 2);
    mode_t now = umask(0);
    (void)umask(mask);
    assert_int_equal(now, mask);
    assert_null(getenv("CORDON_CHANGED"));
    struct stat status;
    assert_int_equal(fstat(1, &status), 0);
    struct sigaction action;
    assert_int_equal(sigaction(SIGUSR1, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

/* In a forked child: 0 if every call is refused with -ECHILD and closing does no harm. */
static int child_of_a_host(struct cordon_cell *cell, struct cordon_session *session,
                           struct cordon_function *absolute)
{
    struct cordon_value arg = cordon_int(-2);
    struct cordon_result result;
    struct cordon_session *another = NULL;
    struct cordon_function *function = NULL;
    struct cordon_error error;
    if (cordon_call(absolute, &arg, 1, CORDON_DEFAULT, &result) != -ECHILD) {
        return 1;
    }
    if (cordon_session_call(session, absolute, &arg, 1, CORDON_DEFAULT, &result) != -ECHILD) {
        return 2;
    }
    if (cordon_session_open(cell, &another, &error) != -ECHILD) {
        return 3;
    }
    if (cordon_bind(cell, "int labs(int j)", 0, &function, &error) != -ECHILD) {
        return 4;
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
    return 0;
}

static void test_forked_child_is_refused_and_the_parent_goes_on(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_value arg = cordon_int(-2);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(harness_value(session, absolute, &arg, 1).i, 2);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(child_of_a_host(cell, session, absolute));
        }
        assert_true(pid > 0);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(harness_value(session, absolute, &arg, 1).i, 2);
        assert_int_equal(harness_value(NULL, absolute, &arg, 1).i, 2);
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
}

/* A forked child may open cells of its own. */
static void test_forked_child_opens_its_own_cell(const struct harness *harness)
{
    if (harness->level == CORDON_LEVEL_THREAD && harness_under_tsan()) {
        harness_skip("ThreadSanitizer does not support threads that start in a forked child");
    }
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct cordon_cell_options options = harness_options(harness);
        options.library = "";
        struct cordon_cell *own = NULL;
        struct cordon_function *absolute = NULL;
        struct cordon_error error;
        struct cordon_value arg = cordon_int(-2);
        struct cordon_result result;
        error.text[0] = '\0';
        bool done = cordon_cell_open(&options, &own, &error) == 0 &&
                    cordon_bind(own, "int abs(int j)", 0, &absolute, &error) == 0 &&
                    cordon_call(absolute, &arg, 1, CORDON_DEFAULT, &result) == CORDON_DONE &&
                    result.value.i == 2;
        cordon_cell_close(own);
        if (!done) {
            (void)printf("in the child: %s\n", error.text);
            (void)fflush(stdout);
        }
        _exit(done ? 0 : 1);
    }
    assert_true(pid > 0);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    cordon_cell_close(cell);
}

/* How many fds a program that is started now inherits, its own not counted. */
static int inherited_fds(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "exit $(ls /proc/self/fd | wc -l)", (char *)NULL);
        _exit(255);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 255);
    return WEXITSTATUS(status);
}

static void test_exec_hands_nothing_down(const struct harness *harness)
{
    int before = inherited_fds();
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_value arg = cordon_int(-2);
    assert_int_equal(harness_value(session, absolute, &arg, 1).i, 2);
    assert_int_equal(inherited_fds(), before);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_100_cells_one_after_the_other_leave_nothing(const struct harness *harness)
{
    for (int i = 0; i < 100; i++) {
        struct cordon_cell *cell = harness_open(harness, "", NULL);
        struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
        struct cordon_value arg = cordon_int(-i);
        assert_int_equal(harness_value(NULL, absolute, &arg, 1).i, i);
        cordon_cell_close(cell);
    }
}

static void test_first_cell_of_a_process_leaves_nothing_outside(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_value arg = cordon_int(-3);
    assert_int_equal(harness_value(NULL, absolute, &arg, 1).i, 3);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"host_sees_no_child_and_no_sigchld", test_host_sees_no_child_and_no_sigchld,
         HARNESS_PROCESS, 0, 0},
        {"a_host_that_ignores_sigchld_is_served", test_a_host_that_ignores_sigchld_is_served,
         HARNESS_PROCESS, 0, 0},
        {"library_cannot_change_the_hosts_state", test_library_cannot_change_the_hosts_state,
         HARNESS_PROCESS, 0, 0},
        {"forked_child_is_refused_and_the_parent_goes_on",
         test_forked_child_is_refused_and_the_parent_goes_on, HARNESS_ALL_LEVELS, 0, 0},
        {"forked_child_opens_its_own_cell", test_forked_child_opens_its_own_cell,
         HARNESS_ALL_LEVELS, 0, 0},
        {"exec_hands_nothing_down", test_exec_hands_nothing_down, HARNESS_PROCESS, 0, 0},
        {"100_cells_one_after_the_other_leave_nothing",
         test_100_cells_one_after_the_other_leave_nothing, HARNESS_ALL_LEVELS, 0, 60},
        {"first_cell_of_a_process_leaves_nothing_outside",
         test_first_cell_of_a_process_leaves_nothing_outside, HARNESS_PROCESS, HARNESS_COLD, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
