/* SPDX-License-Identifier: Apache-2.0 */

/* A spare takes a dead worker's place: the next call is served by it, handles of the dead are stale. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "recovery/subject.h"

static bool is_gone(void *context)
{
    return kill(*(const int *)context, 0) != 0;
}

/* The outcome comes first, while the worker still stands: it is not to be taken for a spare later. */
static void expect_crash(const struct subject *subject, int number)
{
    struct cordon_result result;
    int worker = cordon_session_worker_pid(subject->session);
    harness_expect(subject_try(subject, "crash", number, &result), CORDON_CRASHED, &result);
    assert_int_equal(result.signal, number);
    assert_true(harness_wait(is_gone, &worker, 5000));
}

/* The only worker besides the session's. */
static int spare_pid(const struct subject *subject)
{
    int pids[8];
    int serving = cordon_session_worker_pid(subject->session);
    size_t found = harness_descendants(getppid(), "cordon-worker", pids, HARNESS_COUNT(pids));
    assert_int_equal(found, 2);
    return pids[0] == serving ? pids[1] : pids[0];
}

static void test_spare_is_promoted_after_a_crash(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    subject_open(&subject, &options);
    for (int i = 0; i < 5; i++) {
        subject_await_spares(&subject, 1);
        int spare = spare_pid(&subject);
        (void)subject_call(&subject, "remember", 5);
        expect_crash(&subject, SIGSEGV);
        assert_int_equal(subject_call(&subject, "recall", 0), 0); /* a fresh one */
        assert_int_equal(cordon_session_worker_pid(subject.session), spare);
    }
    struct cordon_cell_stats stats = subject_stats(&subject);
    assert_int_equal(stats.promoted, 5);
    assert_int_equal(stats.crashes, 5);
    assert_int_equal(stats.started, 6);
    assert_int_equal(stats.starts_failed, 0);
    assert_int_equal(stats.workers, 1);
    subject_close(&subject);
}

static void test_spare_is_promoted_after_an_idle_death(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    subject_open(&subject, &options);
    (void)subject_call(&subject, "recall", 0);
    subject_await_spares(&subject, 1);
    int spare = spare_pid(&subject);
    assert_int_equal(kill(cordon_session_worker_pid(subject.session), SIGKILL), 0);
    assert_int_equal(subject_call(&subject, "recall", 0), 0);
    assert_int_equal(cordon_session_worker_pid(subject.session), spare);
    assert_int_equal(subject_stats(&subject).promoted, 1);
    subject_close(&subject);
}

static void test_spare_is_promoted_after_a_timeout(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.deadline_ms = 50;
    subject_open(&subject, &options);
    subject_await_spares(&subject, 1);
    int spare = spare_pid(&subject);
    struct cordon_result result;
    harness_expect(subject_try(&subject, "wait_ms", 60000, &result), CORDON_TIMEOUT, &result);
    assert_int_equal(subject_call(&subject, "recall", 0), 0);
    assert_int_equal(cordon_session_worker_pid(subject.session), spare);
    assert_int_equal(subject_stats(&subject).timeouts, 1);
    subject_close(&subject);
}

static void test_dead_spare_is_passed_over(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    subject_open(&subject, &options);
    subject_await_spares(&subject, 1);
    int spare = spare_pid(&subject);
    assert_int_equal(kill(spare, SIGKILL), 0);
    expect_crash(&subject, SIGSEGV);
    assert_int_equal(subject_call(&subject, "recall", 0), 0);
    assert_int_not_equal(cordon_session_worker_pid(subject.session), spare);
    subject_await_spares(&subject, 1);
    subject_close(&subject);
}

static void test_several_spares(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.spares = 3;
    subject_open(&subject, &options);
    subject_await_spares(&subject, 3);
    expect_crash(&subject, SIGSEGV);
    (void)subject_call(&subject, "recall", 0);
    subject_await_spares(&subject, 3);
    subject_close(&subject);
}

static void expect_none(const struct subject *subject)
{
    expect_crash(subject, SIGSEGV);
    assert_int_equal(subject_call(subject, "recall", 0), 0);
    struct cordon_cell_stats stats = subject_stats(subject);
    assert_int_equal(stats.promoted, 0);
    assert_int_equal(stats.spares, 0);
    assert_int_equal(harness_descendants(getppid(), "cordon-worker", NULL, 0), 1);
}

static bool one_worker(void *context)
{
    (void)context;
    return harness_descendants(getppid(), "cordon-worker", NULL, 0) == 1;
}

static void test_no_spare_if_none_is_wanted(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.spares = CORDON_NONE;
    subject_open(&subject, &options);
    assert_true(harness_wait(one_worker, NULL, 5000));
    expect_none(&subject);
    subject_close(&subject);
}

static void test_no_spare_with_an_arena(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.arena_bytes = 1u << 20;
    subject_open(&subject, &options);
    expect_none(&subject);
    subject_close(&subject);
}

static void test_spares_are_limited(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    options.library = "";
    options.spares = 9;
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -7 /* E2BIG */);
    assert_non_null(strstr(error.text, "spares"));
}

static void test_handles_are_stale_after_promotion(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    subject_open(&subject, &options);
    struct cordon_function *value_of = harness_bind(subject.cell, "thing_value");
    struct cordon_value seven = cordon_int(7);
    struct cordon_value eight = cordon_int(8);
    struct cordon_result result;
    for (int i = 0; i < 5; i++) {
        subject_await_spares(&subject, 1);
        struct cordon_value old =
            harness_value(NULL, harness_bind(subject.cell, "thing_new"), &seven, 1);
        struct cordon_value arg = cordon_object(old.handle);
        assert_int_equal(harness_value(NULL, value_of, &arg, 1).i, 7);
        expect_crash(&subject, SIGSEGV);
        /* The promoted worker's first handle has the same place in its table. */
        struct cordon_value fresh =
            harness_value(NULL, harness_bind(subject.cell, "thing_new"), &eight, 1);
        if (i == 0) {
            assert_int_equal(fresh.handle.index, old.handle.index);
        }
        harness_expect(cordon_call(value_of, &arg, 1, CORDON_DEFAULT, &result), CORDON_STALE,
                       &result);
        int r = cordon_session_call(subject.session, value_of, &arg, 1, CORDON_DEFAULT, &result);
        harness_expect(r, CORDON_STALE, &result);
        arg = cordon_object(fresh.handle);
        assert_int_equal(harness_value(NULL, value_of, &arg, 1).i, 8);
        arg.handle.tag ^= 1;
        harness_expect(cordon_call(value_of, &arg, 1, CORDON_DEFAULT, &result), -22 /* EINVAL */,
                       &result);
    }
    assert_int_equal(subject_stats(&subject).promoted, 5);
    subject_close(&subject);
}

/*
 * The kernel counts descriptors in flight by user, and workers of all cells are one: a library that puts there
 * what it may keeps no other worker from starting.
 */
static void test_descriptors_in_flight_keep_no_worker_from_starting(const struct harness *harness)
{
    struct subject subject;
    struct subject other;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.spares = CORDON_NONE;
    subject_open(&subject, &options);
    /* Until the kernel refuses: what others of this user have there counts, too. */
    assert_true(subject_call(&subject, "put_in_flight", 2000) < 2000);
    options = subject_options(harness, &other);
    subject_open(&other, &options);
    assert_int_equal(subject_call(&other, "recall", 0), 0);
    /* What its filter refuses is heard of all the same. */
    assert_true(cordon_cell_isolation(other.cell) & CORDON_LISTS_VIOLATIONS);
    expect_crash(&other, SIGSEGV);
    assert_int_equal(subject_call(&other, "recall", 0), 0);
    subject_close(&other);
    subject_close(&subject);
}

static void test_keeper_lost_with_its_spare(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    subject_open(&subject, &options);
    subject_await_spares(&subject, 1);
    struct cordon_function *recall = harness_bind(subject.cell, "recall");
    int keeper = 0;
    assert_int_equal(harness_descendants(getppid(), "cordon-keeper", &keeper, 1), 1);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    struct cordon_result result;
    /* The worker may answer once more before it ends with its keeper; one call at most meets the loss. */
    int aborted = 0;
    for (int i = 0; i < 3; i++) {
        int r = cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result);
        if (r == CORDON_ABORTED && aborted == 0) {
            aborted++;
        } else {
            harness_expect(r, CORDON_DONE, &result);
        }
    }
    if (aborted == 1) {
        harness_expect(cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result), CORDON_DONE, &result);
    }
    subject_close(&subject);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"promoted_after_a_crash", test_spare_is_promoted_after_a_crash, HARNESS_PROCESS, 0, 0},
        {"promoted_after_an_idle_death", test_spare_is_promoted_after_an_idle_death,
         HARNESS_PROCESS, 0, 0},
        {"promoted_after_a_timeout", test_spare_is_promoted_after_a_timeout, HARNESS_PROCESS, 0, 0},
        {"dead_spare_is_passed_over", test_dead_spare_is_passed_over, HARNESS_PROCESS, 0, 0},
        {"several_spares", test_several_spares, HARNESS_PROCESS, 0, 0},
        {"none_if_none_is_wanted", test_no_spare_if_none_is_wanted, HARNESS_PROCESS, 0, 0},
        {"none_with_an_arena", test_no_spare_with_an_arena, HARNESS_PROCESS, 0, 0},
        {"limited", test_spares_are_limited, HARNESS_PROCESS, 0, 0},
        {"handles_are_stale_after_promotion", test_handles_are_stale_after_promotion,
         HARNESS_PROCESS, 0, 0},
        {"descriptors_in_flight", test_descriptors_in_flight_keep_no_worker_from_starting,
         HARNESS_PROCESS, 0, 0},
        {"keeper_lost_with_its_spare", test_keeper_lost_with_its_spare, HARNESS_PROCESS,
         HARNESS_COLD, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
