/* SPDX-License-Identifier: Apache-2.0 */

/* Who is attached, and who lends: limits, breakers, idleness, replacement, and either side's death at any time. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach/rig.h"
#include "base/clock.h"
#include "base/fd.h"

static int call_abs(struct cordon_session *session, struct cordon_function *function,
                    struct cordon_result *ret_result)
{
    struct cordon_value arg = cordon_int(-3);
    return session ? cordon_session_call(session, function, &arg, 1, CORDON_DEFAULT, ret_result)
                   : cordon_call(function, &arg, 1, CORDON_DEFAULT, ret_result);
}

/* ---- Limits ------------------------------------------------------------------------------------ */

static void test_one_lease_more_than_the_limit_is_busy(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    struct cordon_error error;
    struct cordon_session *sessions[3] = {NULL};
    rig_open(&rig, "leases=2");
    struct cordon_cell *cell = rig_attach(&rig);
    for (int i = 0; i < 2; i++) {
        sessions[i] = harness_session(cell);
    }
    struct cordon_cell *other = rig_attach(&rig);
    assert_int_equal(cordon_session_open(other, &sessions[2], &error), -EAGAIN);
    assert_non_null(strstr(error.text, "2 workers of the cell are lent"));
    assert_non_null(strstr(error.text, "(leases)"));
    assert_int_equal(cordon_session_close(sessions[0]), 0);
    /* It is about to be gone: who asks now is answered when it is. */
    assert_int_equal(cordon_session_open(other, &sessions[2], &error), 0);
    cordon_cell_close(other);
    cordon_cell_close(cell);
    assert_true(rig_await_leases(&rig, 0));
    rig_close(&rig);
}

static void test_idle_lease_is_taken_back_and_the_next_call_has_another(
    const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    rig_open(&rig, "idle_ms=100");
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_function *absolute = harness_bind(cell, "abs");
    for (int i = 0; i < 3; i++) {
        rig_expect_abs(NULL, absolute, 8);
        assert_true(rig_await_leases(&rig, 0));
    }
    struct rig_stats stats = rig_order(&rig, "");
    assert_int_equal(stats.recalled, 3);
    assert_int_equal(stats.crashes + stats.timeouts, 0);
    cordon_cell_close(cell);
    rig_close(&rig);
}

static void test_busy_lease_is_not_idle(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    rig_open(&rig, "idle_ms=100");
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_function *wait = harness_bind(cell, "usleep");
    struct cordon_value arg = cordon_uint(900000);
    (void)harness_value(NULL, wait, &arg, 1);
    assert_int_equal(rig_order(&rig, "").recalled, 0);
    cordon_cell_close(cell);
    rig_close(&rig);
}

static bool is_open_no_more(void *context)
{
    struct cordon_result result;
    return call_abs(NULL, context, &result) == CORDON_DONE;
}

static void test_breaker_counts_ends_and_refuses_all_clients(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    struct cordon_result result;
    rig_open(&rig, "samples=4 cool_ms=1500");
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_cell *other = rig_attach(&rig);
    struct cordon_function *crash = harness_bind(cell, "abort");
    struct cordon_function *absolute = harness_bind(other, "abs");
    rig_expect_abs(NULL, absolute, 4);
    int crashes = 0;
    int r;
    while ((r = cordon_call(crash, NULL, 0, CORDON_DEFAULT, &result)) == CORDON_CRASHED &&
           crashes < 50) {
        crashes++;
    }
    harness_expect(r, CORDON_OPEN, &result);
    assert_in_range(result.retry_after_ms, 1, 1500);
    assert_in_range(crashes, 3, 6);
    /* The other has its worker, and asks nobody: the board says it. */
    harness_expect(call_abs(NULL, absolute, &result), CORDON_OPEN, &result);
    assert_non_null(strstr(result.error.text, "the breaker of the daemon's cell is open"));
    assert_in_range(result.retry_after_ms, 1, 1500);
    assert_true(harness_wait(is_open_no_more, absolute, 5000));
    for (int i = 0; i < 20; i++) {
        rig_expect_abs(NULL, absolute, i);
    }
    cordon_cell_close(other);
    cordon_cell_close(cell);
    rig_close(&rig);
}

/* ---- Something else is lent -------------------------------------------------------------------- */

static bool is_drained(void *context)
{
    return rig_order(context, "").draining == 0;
}

static void await_drained(struct rig *rig)
{
    assert_true(harness_wait(is_drained, rig, 10000));
}

static void test_replaced_cell_is_left_without_losing_a_call(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    rig_open(&rig, NULL);
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_function *absolute = harness_bind(cell, "abs");
    for (int i = 0; i < 5; i++) {
        rig_expect_abs(NULL, absolute, i);
        (void)rig_order(&rig, "replace 60000");
        for (int j = 0; j < 100; j++) {
            rig_expect_abs(NULL, absolute, j);
        }
        while (rig_order(&rig, "").draining) {
            rig_expect_abs(NULL, absolute, 1);
        }
        assert_int_equal(rig_order(&rig, "").lent, 1);
    }
    cordon_cell_close(cell);
    rig_close(&rig);
}

static void test_what_is_still_needed_goes_on_until_the_drain_is_over(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    struct cordon_error error;
    struct cordon_handle pair;
    int a = 5;
    rig_open(&rig, NULL);
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "abs");
    assert_int_equal(cordon_object_new(session, "struct pair", &pair, &error), 0);
    (void)rig_order(&rig, "replace 1000");
    rig_expect_abs(session, absolute, 2);
    assert_int_equal(cordon_object_write(session, pair, "a", &a, sizeof a, &error), 0);
    await_drained(&rig);
    assert_int_equal(cordon_object_read(session, pair, "a", &a, sizeof a, &error), CORDON_STALE);
    rig_expect_abs(session, absolute, 3);
    cordon_session_close(session);
    cordon_cell_close(cell);
    rig_close(&rig);
}

/* How a call ends on a cell whose daemon was given @order in the meantime, and has drained. */
static struct cordon_cell *call_after(struct rig *rig, const char *order, int outcome)
{
    struct cordon_result result;
    rig_open(rig, NULL);
    struct cordon_cell *cell = rig_attach(rig);
    struct cordon_function *absolute = harness_bind(cell, "abs");
    rig_expect_abs(NULL, absolute, 3);
    (void)rig_order(rig, order);
    await_drained(rig);
    harness_expect(call_abs(NULL, absolute, &result), outcome, &result);
    return cell;
}

static void test_other_functions_are_another_cell(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    cordon_cell_close(call_after(&rig, "change 1", -ESTALE));
    struct cordon_cell *cell = rig_attach(&rig);
    rig_expect_abs(NULL, harness_bind(cell, "abs"), 3);
    cordon_cell_close(cell);
    rig_close(&rig);
}

static void test_withdrawn_cell_is_refused(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    cordon_cell_close(call_after(&rig, "withdraw 1", -ESHUTDOWN));
    rig_close(&rig);
}

/* ---- Deaths ------------------------------------------------------------------------------------ */

/* Kills the daemon as soon as the caller waits. */
struct killer {
    struct rig *rig;
    int caller; /* its thread */
    bool waited;
    uint64_t killed_ns;
};

static bool caller_waits(void *context)
{
    const struct killer *killer = context;
    return harness_thread_waits(killer->caller);
}

static void *kill_daemon(void *context)
{
    struct killer *killer = context;
    killer->waited = harness_wait(caller_waits, killer, 10000);
    killer->killed_ns = clock_now_ns();
    rig_kill(killer->rig);
    return NULL;
}

static void test_killed_daemon_ends_calls_within_100_ms_and_a_new_one_is_found(
    const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    struct rig again;
    struct cordon_result result;
    rig_open(&rig, NULL);
    int workers[4];
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_function *wait = harness_bind(cell, "usleep");
    struct cordon_function *absolute = harness_bind(cell, "abs");
    rig_expect_abs(NULL, absolute, 1);
    size_t count = harness_descendants((int)getppid(), "cordon-worker", workers, 4);
    assert_in_range(count, 1, 4);
    pthread_t thread;
    struct killer killer = {.rig = &rig, .caller = gettid()};
    struct cordon_value arg = cordon_uint(60000000);
    assert_int_equal(pthread_create(&thread, NULL, kill_daemon, &killer), 0);
    int r = cordon_call(wait, &arg, 1, cordon_after_ms(20000), &result);
    uint64_t ended_ns = clock_now_ns();
    harness_expect(r, CORDON_ABORTED, &result);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(killer.waited);
    /* 100 ms to a look; the rest is for a machine that is busy. */
    assert_in_range(ended_ns - killer.killed_ns, 0, 500 * CLOCK_MS_NS);
    for (size_t i = 0; i < count; i++) {
        for (int tries = 0; !harness_process_gone(workers[i]) && tries < 500; tries++) {
            (void)usleep(10000);
        }
        assert_true(harness_process_gone(workers[i]));
    }
    assert_int_equal(call_abs(NULL, absolute, &result), -ENOENT);
    rig_open(&again, NULL);
    /* At the same place: the next call attaches again, as soon as the pause between starts is over. */
    assert_int_equal(rename(again.path, rig.path), 0);
    assert_true(harness_wait(is_open_no_more, absolute, 10000));
    cordon_cell_close(cell);
    (void)unlink(rig.path);
    rig_close(&again);
}

static void be_client(const struct rig *rig, int told)
{
    struct cordon_cell *cell = rig_attach(rig);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *wait = harness_bind(cell, "usleep");
    struct cordon_value arg = cordon_uint(60000000);
    struct cordon_pending *pending;
    struct cordon_error error;
    if (cordon_submit(session, wait, &arg, 1, CORDON_NEVER, &pending, &error) == 0) {
        cordon_flush(session);
        (void)!write(told, "x", 1);
    }
    (void)pause();
}

static pid_t fork_client(const struct rig *rig)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t client = fork();
    if (client == 0) {
        (void)close(ends[0]);
        be_client(rig, ends[1]);
        _exit(1);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    return client;
}

static size_t workers_below(void)
{
    return harness_descendants((int)getppid(), "cordon-worker", NULL, 0);
}

static bool are_no_more(void *context)
{
    return workers_below() <= *(const size_t *)context;
}

static void test_killed_client_gives_its_lease_back(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    rig_open(&rig, "leases=2");
    size_t own = workers_below() + 1; /* the daemon's own spare may be on its way */
    for (int i = 0; i < 5; i++) {
        pid_t client = fork_client(&rig);
        assert_in_range(rig_order(&rig, "").leases, 1, 2);
        assert_int_equal(kill(client, SIGKILL), 0);
        assert_int_equal(waitpid(client, NULL, 0), client);
        assert_true(rig_await_leases(&rig, 0));
        assert_int_equal(rig_order(&rig, "").seats, 0);
    }
    assert_true(harness_wait(are_no_more, &own, 10000));
    rig_close(&rig);
}

static void test_forked_child_keeps_nothing_of_it(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    int ends[2];
    rig_open(&rig, NULL);
    int hold[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(hold), 0);
    pid_t client = fork();
    if (client == 0) {
        struct cordon_result result;
        struct cordon_cell *cell = rig_attach(&rig);
        struct cordon_function *absolute = harness_bind(cell, "abs");
        rig_expect_abs(NULL, absolute, 1);
        pid_t child = fork();
        if (child == 0) {
            int r = call_abs(NULL, absolute, &result);
            if (r != -ECHILD) {
                _exit(2);
            }
            if (fork() == 0) {
                char byte;
                (void)close(hold[1]);
                (void)close(rig.orders);
                (void)!read(hold[0], &byte,
                            1); /* it holds the seat's descriptor, and does not close it */
                _exit(0);
            }
            cordon_cell_close(cell);
            _exit(0);
        }
        int status = -1;
        (void)waitpid(child, &status, 0);
        rig_expect_abs(NULL, absolute, 2); /* the parent's is undisturbed */
        (void)!write(ends[1], &status, sizeof status);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(read(ends[0], &status, sizeof status), sizeof status);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(client, NULL, 0), client);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_true(rig_await_leases(&rig, 0));
    assert_int_equal(rig_order(&rig, "").seats, 0);
    (void)close(hold[0]);
    (void)close(hold[1]);
    rig_close(&rig);
}

static void test_killed_keeper_is_told_and_replaced(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    struct cordon_result result;
    int keeper = 0;
    rig_open(&rig, NULL);
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_function *absolute = harness_bind(cell, "abs");
    struct cordon_function *wait = harness_bind(cell, "usleep");
    rig_expect_abs(NULL, absolute, 1);
    assert_int_equal(harness_descendants((int)getppid(), "cordon-keeper", &keeper, 1), 1);
    struct cordon_session *session = harness_session(cell);
    struct cordon_pending *pending;
    struct cordon_error error;
    struct cordon_value arg = cordon_uint(60000000);
    assert_int_equal(cordon_submit(session, wait, &arg, 1, CORDON_NEVER, &pending, &error), 0);
    cordon_flush(session);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    uint64_t begin_ns = clock_now_ns();
    harness_expect(cordon_collect(pending, CORDON_NEVER, &result), CORDON_ABORTED, &result);
    assert_in_range(clock_now_ns() - begin_ns, 0, CLOCK_SECOND_NS);
    rig_expect_abs(session, absolute, 1);
    /* The other's worker died as well: one call of each may have to hear of it. */
    int r = call_abs(NULL, absolute, &result);
    assert_true(r == CORDON_DONE || r == CORDON_ABORTED);
    rig_expect_abs(NULL, absolute, 1);
    assert_in_range(rig_order(&rig, "").lost, 1, 2);
    cordon_session_close(session);
    cordon_cell_close(cell);
    rig_close(&rig);
}

/* ---- At any moment ----------------------------------------------------------------------------- */

#define KILLS 200

/* Calls that end as they should, for ever. */
static void be_busy_client(const struct rig *rig)
{
    struct cordon_cell *cell = rig_attach(rig);
    struct cordon_function *absolute = harness_bind(cell, "abs");
    struct cordon_function *crash = harness_bind(cell, "abort");
    struct cordon_result result;
    for (int i = 0;; i++) {
        if (call_abs(NULL, absolute, &result) == CORDON_DONE && result.value.i != 3) {
            _exit(2);
        }
        if (i % 50 == 49) {
            (void)!cordon_call(crash, NULL, 0, CORDON_DEFAULT, &result);
        }
    }
}

static void test_200_clients_killed_at_any_moment(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    unsigned seed = 7;
    rig_open(&rig, "leases=4 samples=100000");
    for (int i = 0; i < KILLS; i++) {
        pid_t client = fork();
        if (client == 0) {
            be_busy_client(&rig);
        }
        (void)usleep((useconds_t)(rand_r(&seed) % 12000));
        assert_int_equal(kill(client, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(client, &status, 0), client);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    assert_true(rig_await_leases(&rig, 0));
    assert_int_equal(rig_order(&rig, "").seats, 0);
    struct cordon_cell *cell = rig_attach(&rig);
    rig_expect_abs(NULL, harness_bind(cell, "abs"), 9);
    cordon_cell_close(cell);
    rig_close(&rig);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"one_lease_more_than_the_limit_is_busy", test_one_lease_more_than_the_limit_is_busy,
         HARNESS_ONCE, HARNESS_COLD, 0},
        {"idle_lease_is_taken_back_and_the_next_call_has_another",
         test_idle_lease_is_taken_back_and_the_next_call_has_another, HARNESS_ONCE, HARNESS_COLD,
         0},
        {"busy_lease_is_not_idle", test_busy_lease_is_not_idle, HARNESS_ONCE, HARNESS_COLD, 0},
        {"breaker_counts_ends_and_refuses_all_clients",
         test_breaker_counts_ends_and_refuses_all_clients, HARNESS_ONCE, HARNESS_COLD, 0},
        {"replaced_cell_is_left_without_losing_a_call",
         test_replaced_cell_is_left_without_losing_a_call, HARNESS_ONCE, HARNESS_COLD, 60},
        {"what_is_still_needed_goes_on_until_the_drain_is_over",
         test_what_is_still_needed_goes_on_until_the_drain_is_over, HARNESS_ONCE, HARNESS_COLD, 0},
        {"other_functions_are_another_cell", test_other_functions_are_another_cell, HARNESS_ONCE,
         HARNESS_COLD, 0},
        {"withdrawn_cell_is_refused", test_withdrawn_cell_is_refused, HARNESS_ONCE, HARNESS_COLD,
         0},
        {"killed_daemon_ends_calls_within_100_ms_and_a_new_one_is_found",
         test_killed_daemon_ends_calls_within_100_ms_and_a_new_one_is_found, HARNESS_ONCE,
         HARNESS_COLD, 60},
        {"killed_client_gives_its_lease_back", test_killed_client_gives_its_lease_back,
         HARNESS_ONCE, HARNESS_COLD, 60},
        {"forked_child_keeps_nothing_of_it", test_forked_child_keeps_nothing_of_it, HARNESS_ONCE,
         HARNESS_COLD, 0},
        {"killed_keeper_is_told_and_replaced", test_killed_keeper_is_told_and_replaced,
         HARNESS_ONCE, HARNESS_COLD, 0},
        {"200_clients_killed_at_any_moment", test_200_clients_killed_at_any_moment, HARNESS_ONCE,
         HARNESS_COLD, 120},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
