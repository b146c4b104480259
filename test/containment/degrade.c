/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a cell does where the kernel gives less: it opens, its calls are served, and
 * cordon_cell_isolation() says exactly what is gone; or, where that is required, it is refused by a
 * sentence that names the mechanism and what forbids it. Mechanisms are switched off by the cell's
 * options, and taken away for real: by filters around this process, limits of a namespace, lost
 * capabilities.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "containment/degrade_rig.h"
#include "harness/harness.h"

/* ---- Cases: switched off ----------------------------------------------------------------------- */

static const struct {
    uint32_t mechanism;
    uint32_t lost; /* of what a strict cell promises to root, and to others */
} off[] = {
    {CORDON_USER_NAMESPACES, 0},
    {CORDON_PID_NAMESPACES, CORDON_NO_ORPHANS},
    {CORDON_LANDLOCK, CORDON_NO_WRITES | CORDON_CONFINES_READS},
    {CORDON_SECCOMP, CORDON_NO_WRITES | CORDON_NO_PROCESSES | CORDON_NO_NETWORK |
                         CORDON_NO_SIGNALS | CORDON_LISTS_VIOLATIONS},
    {CORDON_LIMITS, CORDON_LIMITS_MEMORY},
    {CORDON_MADV_GUARD, 0},
    {CORDON_ORDINARY_USER, CORDON_UNPRIVILEGED},
    {CORDON_SECCOMP_NOTIFY, CORDON_LISTS_VIOLATIONS},
    {CORDON_PTRACE, CORDON_HANG_STACKS},
};

static void test_cell_without_a_mechanism_opens_and_says_what_is_gone(const struct harness *harness)
{
    (void)harness;
    uint32_t all = degrade_promises_with(0);
    for (size_t i = 0; i < HARNESS_COUNT(off); i++) {
        print_message("without %s\n", cordon_mechanism_name(off[i].mechanism));
        uint32_t lost = off[i].lost;
        if (off[i].mechanism == CORDON_USER_NAMESPACES && geteuid() != 0) {
            lost |= CORDON_NO_ORPHANS; /* ordinary users have the one through the other */
        }
        degrade_expect_same(degrade_promises_with(off[i].mechanism), all & ~lost);
    }
}

static void test_cell_without_any_mechanism_opens(const struct harness *harness)
{
    (void)harness;
    uint32_t promised =
        degrade_promises_with(((CORDON_PTRACE << 1) - 1u) & ~(uint32_t)CORDON_NO_NEW_PRIVS);
    assert_true(promised & CORDON_SURVIVES_CRASH);
    assert_true(promised & CORDON_HEALS);
    assert_false(promised & CORDON_SEPARATE_MEMORY);
    assert_false(promised & (CORDON_NO_WRITES | CORDON_NO_PROCESSES | CORDON_UNPRIVILEGED));
}

static void test_required_mechanism_that_is_switched_off_is_refused(const struct harness *harness)
{
    (void)harness;
    struct cordon_cell_options options = degrade_libc_options();
    for (size_t i = 0; i < HARNESS_COUNT(off); i++) {
        options.without = options.require_mechanisms = off[i].mechanism;
        degrade_expect_refusal(&options, cordon_mechanism_name(off[i].mechanism), "switched off");
    }
    options.require_mechanisms = 0;
    options.require = CORDON_NO_PROCESSES;
    options.without = CORDON_SECCOMP;
    degrade_expect_refusal(&options, "no-processes", "seccomp is missing: switched off");
}

static void test_required_mechanism_at_a_level_without_any_is_refused(const struct harness *harness)
{
    struct cordon_cell_options options = degrade_libc_options();
    options.level = harness->level;
    options.require_mechanisms = CORDON_LANDLOCK;
    degrade_expect_refusal(&options, "mechanisms", "level process");
}

/* ---- Cases: taken away ------------------------------------------------------------------------- */

static void test_kernel_without_landlock(const struct harness *harness)
{
    (void)harness;
    uint32_t all = degrade_promises_with(0);
    static const struct degrade_forbidden calls[] = {
        {.number = 444, .error = ENOSYS},
        {.number = 445, .error = ENOSYS},
        {.number = 446, .error = ENOSYS},
    };
    (void)degrade_forbid(calls, HARNESS_COUNT(calls), 0);
    degrade_expect_same(degrade_promises_with(0),
                        all & ~(uint32_t)(CORDON_NO_WRITES | CORDON_CONFINES_READS));
    degrade_expect_mechanism_refused(CORDON_LANDLOCK, "Linux 5.13");
    degrade_expect_promise_refused(CORDON_NO_WRITES, "landlock is missing");
}

static void test_listener_around_the_process(const struct harness *harness)
{
    (void)harness;
    uint32_t all = degrade_promises_with(0);
    int listener = degrade_forbid(NULL, 0, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    assert_int_equal(fcntl(listener, F_SETFD, FD_CLOEXEC), 0);
    degrade_expect_same(degrade_promises_with(0), all & ~(uint32_t)CORDON_LISTS_VIOLATIONS);
    degrade_expect_mechanism_refused(CORDON_SECCOMP_NOTIFY, "has a listener already");
    degrade_expect_promise_refused(CORDON_LISTS_VIOLATIONS, "listener");
    assert_int_equal(close(listener), 0);
}

static void test_filters_refused(const struct harness *harness)
{
    (void)harness;
    uint32_t all = degrade_promises_with(0);
    degrade_forbid_one(SYS_seccomp, ENOSYS);
    degrade_expect_same(degrade_promises_with(0),
                        all &
                            ~(uint32_t)(CORDON_NO_WRITES | CORDON_NO_PROCESSES | CORDON_NO_NETWORK |
                                        CORDON_NO_SIGNALS | CORDON_LISTS_VIOLATIONS));
    degrade_expect_mechanism_refused(CORDON_SECCOMP, "filter around this process");
}

static void refuse_namespaces(void)
{
    uint32_t all = degrade_promises_with(0);
    static const struct degrade_forbidden calls[] = {
        {SYS_clone, EPERM, BPF_JSET, 0, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET},
        {.number = SYS_unshare, .error = EPERM},
        {.number = SYS_clone3, .error = ENOSYS},
    };
    (void)degrade_forbid(calls, HARNESS_COUNT(calls), 0);
    degrade_expect_same(degrade_promises_with(0), all & ~(uint32_t)CORDON_NO_ORPHANS);
    degrade_expect_mechanism_refused(CORDON_PID_NAMESPACES, "filter around this process");
    degrade_expect_promise_refused(CORDON_NO_ORPHANS, "pidns is missing");
}

static void test_namespaces_refused(const struct harness *harness)
{
    (void)harness;
    refuse_namespaces();
}

static void test_namespaces_refused_to_an_ordinary_user(const struct harness *harness)
{
    (void)harness;
    degrade_become_nobody();
    refuse_namespaces();
}

static void test_no_namespaces_left(const struct harness *harness)
{
    (void)harness;
    degrade_become_nobody();
    if (unshare(CLONE_NEWUSER) != 0) {
        harness_skip("no user namespaces here");
    }
    char map[48];
    (void)snprintf(map, sizeof map, "%u %u 1", NOBODY, NOBODY);
    degrade_write_text("/proc/self/uid_map", map);
    degrade_write_text("/proc/sys/user/max_user_namespaces", "0");
    assert_false(degrade_promises_with(0) & CORDON_NO_ORPHANS);
    degrade_expect_mechanism_refused(CORDON_PID_NAMESPACES, "user.max_user_namespaces is 0");
}

static void test_root_that_cannot_change_its_user(const struct harness *harness)
{
    (void)harness;
    if (geteuid() != 0) {
        harness_skip("for root");
    }
    uint32_t all = degrade_promises_with(0);
    assert_int_equal(prctl(PR_CAPBSET_DROP, CAP_SETUID, 0, 0, 0), 0);
    degrade_expect_same(degrade_promises_with(0), all & ~(uint32_t)CORDON_UNPRIVILEGED);
    degrade_expect_mechanism_refused(CORDON_ORDINARY_USER, "CAP_SETUID");
}

static void test_tracing_refused(const struct harness *harness)
{
    (void)harness;
    harness_no_leak_search();
    uint32_t all = degrade_promises_with(0);
    degrade_forbid_one(SYS_ptrace, EPERM);
    degrade_expect_same(degrade_promises_with(0), all & ~(uint32_t)CORDON_HANG_STACKS);
    degrade_expect_mechanism_refused(CORDON_PTRACE, "filter around this process");
}

static void test_root_that_cannot_trace_others(const struct harness *harness)
{
    (void)harness;
    if (geteuid() != 0) {
        harness_skip("for root");
    }
    uint32_t all = degrade_promises_with(0);
    assert_int_equal(prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0), 0);
    degrade_expect_same(degrade_promises_with(0), all & ~(uint32_t)CORDON_HANG_STACKS);
    degrade_expect_mechanism_refused(CORDON_PTRACE, "CAP_SYS_PTRACE");
}

static void test_limits_refused(const struct harness *harness)
{
    (void)harness;
    if (harness_under_asan()) {
        harness_skip("a sanitizer asks for its limits before the keeper's first line");
    }
    uint32_t all = degrade_promises_with(0);
    degrade_forbid_one(SYS_prlimit64, EPERM);
    degrade_expect_same(degrade_promises_with(0), all & ~(uint32_t)CORDON_LIMITS_MEMORY);
    degrade_expect_mechanism_refused(CORDON_LIMITS, "filter around this process");
}

/* Nothing of these is a promise: cells stay what they are. */
static void test_calls_of_newer_kernels_missing(const struct harness *harness)
{
    (void)harness;
    uint32_t all = degrade_promises_with(0);
    static const struct degrade_forbidden calls[] = {
        {.number = SYS_futex_waitv, .error = ENOSYS},
        {.number = SYS_pidfd_open, .error = ENOSYS},
        {SYS_madvise, EINVAL, BPF_JEQ, 2, 102}, /* MADV_GUARD_INSTALL */
    };
    (void)degrade_forbid(calls, HARNESS_COUNT(calls), 0);
    degrade_expect_same(degrade_promises_with(0), all);
    degrade_expect_mechanism_refused(CORDON_MADV_GUARD, "Linux 6.13");
}

static void test_crash_is_told_without_futex_waitv(const struct harness *harness)
{
    (void)harness;
    degrade_forbid_one(SYS_futex_waitv, EPERM);
    struct cordon_cell_options options = degrade_libc_options();
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_result result;
    harness_expect(
        cordon_call(harness_bind(cell, "void abort(void)"), NULL, 0, CORDON_DEFAULT, &result),
        CORDON_CRASHED, &result);
    assert_int_equal(result.signal, SIGABRT);
    (void)degrade_judge(cell);
    cordon_cell_close(cell);
}

/* The setting belongs to a PID namespace: one is made for it. */
static void test_memory_that_must_not_be_executed(const struct harness *harness)
{
    (void)harness;
    if (geteuid() != 0 || unshare(CLONE_NEWPID) != 0) {
        harness_skip("no PID namespace to be had");
    }
    harness_no_leak_search(); /* a process started for it would be in that namespace */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int fd = open("/proc/sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "2", 1) != 1) {
            _exit(77);
        }
        (void)close(fd);
        struct cordon_platform *platform = NULL;
        struct cordon_cell_options options = degrade_libc_options();
        struct cordon_cell *cell = NULL;
        struct cordon_error error;
        int r = cordon_platform_examine(NULL, &platform, &error);
        const struct cordon_platform_mechanism *row = NULL;
        for (size_t i = 0; r == 0 && (row = cordon_platform_mechanism(platform, i)); i++) {
            if (strcmp(row->name, "run_from_memory") == 0) {
                break;
            }
        }
        bool told = row && row->state == CORDON_PLATFORM_MISSING && row->error == EACCES &&
                    strcmp(row->why, "vm.memfd_noexec is 2") == 0;
        r = r < 0 ? r : cordon_cell_open(&options, &cell, &error);
        if (r < 0 || !told) {
            (void)fprintf(stderr, "%s\n", r < 0 ? error.text : row ? row->why : "no row");
            _exit(1);
        }
        cordon_cell_close(cell);
        cordon_platform_free(platform);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        harness_skip("vm.memfd_noexec cannot be set here");
    }
    assert_int_equal(status, 0);
}

/* ---- Cases: reports ---------------------------------------------------------------------------- */

/* Whether the report of a call that timed out holds registers and stack of a thread. */
static bool hang_has_stacks(uint32_t without)
{
    char folder[] = "/tmp/cordon-degrade-XXXXXX";
    char path[128];
    char *json = NULL;
    struct cordon_error error;
    struct cordon_result result;
    struct cordon_value arg = cordon_uint(60);
    struct cordon_cell_options options = degrade_libc_options();
    options.without = without;
    options.reports = mkdtemp(folder);
    assert_non_null(options.reports);
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_session *session = harness_session(cell);
    bool promised = (cordon_cell_isolation(cell) & CORDON_HANG_STACKS) != 0;
    assert_int_equal(promised, !(without & CORDON_PTRACE));
    harness_expect(cordon_session_call(session,
                                       harness_bind(cell, "unsigned sleep(unsigned seconds)"), &arg,
                                       1, cordon_after_ms(50), &result),
                   CORDON_TIMEOUT, &result);
    uint64_t id = cordon_session_report(session);
    assert_int_not_equal(id, 0);
    assert_int_equal(cordon_report_wait(folder, id, 0, cordon_after_ms(20000)), 0);
    assert_int_equal(cordon_report_read(folder, id, 0, &json, &error), 0);
    bool found = strstr(json, "\"registers\"") != NULL;
    free(json);
    assert_int_equal(cordon_report_path(folder, id, 0, path, sizeof path), 0);
    assert_int_equal(unlink(path), 0);
    cordon_session_close(session);
    cordon_cell_close(cell);
    assert_int_equal(rmdir(folder), 0);
    return found;
}

static void test_hang_is_reported_with_stacks_where_that_is_promised(const struct harness *harness)
{
    (void)harness;
    assert_true(hang_has_stacks(0));
    assert_false(hang_has_stacks(CORDON_PTRACE));
}

/* ---- Cases: the table -------------------------------------------------------------------------- */

static void test_examination_agrees_with_the_cell(const struct harness *harness)
{
    (void)harness;
    struct cordon_platform *platform = NULL;
    struct cordon_error error;
    assert_int_equal(cordon_platform_examine(NULL, &platform, &error), 0);
    uint32_t promised = degrade_promises_with(0);
    const struct cordon_platform_mechanism *row;
    size_t count = 0;
    for (; (row = cordon_platform_mechanism(platform, count)); count++) {
        assert_non_null(row->name);
        assert_string_not_equal(row->meaning, "");
        assert_int_equal(*row->why != '\0', row->state != CORDON_PLATFORM_THERE);
        assert_int_equal(row->error != 0, row->state == CORDON_PLATFORM_MISSING);
        if (row->state == CORDON_PLATFORM_MISSING) {
            assert_int_equal(promised & row->isolation, 0);
        }
        if (row->mechanism) {
            assert_string_equal(cordon_mechanism_name(row->mechanism), row->name);
        }
    }
    assert_int_equal(count, 16);
    cordon_platform_free(platform);
    assert_null(cordon_mechanism_name(0));
    assert_null(cordon_mechanism_name(3));
}

static void test_every_promise_has_a_name(const struct harness *harness)
{
    (void)harness;
    uint32_t promised = degrade_promises_with(0);
    for (uint32_t bit = 1; bit < CORDON_BEST_EFFORT; bit <<= 1) {
        if (promised & bit) {
            assert_non_null(cordon_isolation_name(bit));
        }
    }
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, test_##name, HARNESS_ONCE, HARNESS_COLD, 60                                         \
    }

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        CASE(cell_without_a_mechanism_opens_and_says_what_is_gone),
        CASE(cell_without_any_mechanism_opens),
        CASE(required_mechanism_that_is_switched_off_is_refused),
        {"required_mechanism_at_a_level_without_any_is_refused",
         test_required_mechanism_at_a_level_without_any_is_refused, HARNESS_THREAD | HARNESS_INLINE,
         0, 0},
        CASE(kernel_without_landlock),
        CASE(listener_around_the_process),
        CASE(filters_refused),
        CASE(namespaces_refused),
        CASE(namespaces_refused_to_an_ordinary_user),
        CASE(no_namespaces_left),
        CASE(root_that_cannot_change_its_user),
        CASE(tracing_refused),
        CASE(root_that_cannot_trace_others),
        CASE(limits_refused),
        CASE(calls_of_newer_kernels_missing),
        CASE(crash_is_told_without_futex_waitv),
        CASE(memory_that_must_not_be_executed),
        CASE(hang_is_reported_with_stacks_where_that_is_promised),
        CASE(examination_agrees_with_the_cell),
        CASE(every_promise_has_a_name),
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
