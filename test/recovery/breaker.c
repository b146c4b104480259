/* SPDX-License-Identifier: Apache-2.0 */

/* Breakers of a cell and of its functions: they open, refuse with a time to try again, probe and close. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "recovery/subject.h"

static void pause_ms(uint32_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&time, NULL);
}

static void crash(const struct subject *subject, const char *name, int times)
{
    struct cordon_result result;
    for (int i = 0; i < times; i++) {
        harness_expect(subject_try(subject, name, SIGSEGV, &result), CORDON_CRASHED, &result);
    }
}

static void expect_refused(const struct subject *subject, const char *name, const char *text,
                           uint32_t most_ms)
{
    struct cordon_result result;
    uint64_t begin_ns = clock_now_ns();
    harness_expect(subject_try(subject, name, SIGSEGV, &result), CORDON_OPEN, &result);
    assert_true(clock_now_ns() - begin_ns < 500 * CLOCK_MS_NS);
    assert_non_null(strstr(result.error.text, text));
    assert_non_null(strstr(result.error.text, "try again in"));
    assert_in_range(result.retry_after_ms, 1, most_ms);
}

/* As few crashes as make a breaker; quick to cool down. */
static struct cordon_cell_options quick_options(const struct harness *harness,
                                                struct subject *subject)
{
    struct cordon_cell_options options = subject_options(harness, subject);
    options.breaker_samples = 4;
    options.breaker_cool_down_ms = 200;
    options.breaker_probes = 2;
    return options;
}

static void test_cell_opens_probes_and_closes(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = quick_options(harness, &subject);
    options.function_breaker_percent = CORDON_NONE;
    subject_open(&subject, &options);
    for (int i = 0; i < 100; i++) {
        (void)subject_call(&subject, "recall", 0); /* before anything fails: not counted */
    }
    crash(&subject, "crash", 4);
    assert_int_equal(subject_stats(&subject).breaker, CORDON_BREAKER_OPEN);
    expect_refused(&subject, "recall", "cell", 200);
    expect_refused(&subject, "crash", "cell", 200);
    pause_ms(210);
    crash(&subject, "crash", 1); /* the first probe */
    expect_refused(&subject, "recall", "cell", 200);
    pause_ms(210);
    (void)subject_call(&subject, "recall", 0);
    assert_int_equal(subject_stats(&subject).breaker, CORDON_BREAKER_HALF_OPEN);
    (void)subject_call(&subject, "recall", 0);
    struct cordon_cell_stats stats = subject_stats(&subject);
    assert_int_equal(stats.breaker, CORDON_BREAKER_CLOSED);
    assert_int_equal(stats.breaker_opened, 2);
    assert_int_equal(stats.ended[CORDON_OPEN], 3);
    crash(&subject, "crash", 3);
    (void)subject_call(&subject, "recall", 0);
    subject_close(&subject);
}

static void test_function_opens_alone(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = quick_options(harness, &subject);
    subject_open(&subject, &options);
    for (int i = 0; i < 4; i++) {
        crash(&subject, "crash", 1);
        for (int good = 0; good < 3; good++) {
            (void)subject_call(&subject, "recall", 0);
        }
    }
    struct cordon_cell_stats stats = subject_stats(&subject);
    assert_int_equal(stats.breaker, CORDON_BREAKER_CLOSED);
    assert_int_equal(stats.breakers_open, 1);
    expect_refused(&subject, "crash", "of crash", 200);
    crash(&subject, "other_crash", 1);
    (void)subject_call(&subject, "recall", 0);
    pause_ms(210);
    assert_int_equal(subject_call(&subject, "crash", 0), 0); /* no signal: a good probe */
    assert_int_equal(subject_call(&subject, "crash", 0), 0);
    assert_int_equal(subject_stats(&subject).breakers_open, 0);
    crash(&subject, "crash", 1);
    subject_close(&subject);
}

static void test_timeouts_count(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = quick_options(harness, &subject);
    options.deadline_ms = 20;
    subject_open(&subject, &options);
    struct cordon_result result;
    for (int i = 0; i < 4; i++) {
        harness_expect(subject_try(&subject, "wait_ms", 10000, &result), CORDON_TIMEOUT, &result);
    }
    assert_int_equal(subject_stats(&subject).timeouts, 4);
    expect_refused(&subject, "recall", "cell", 200);
    subject_close(&subject);
}

/* A probe that is refused for its arguments says nothing; another one takes its place. */
static void test_refused_arguments_are_no_probe(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = quick_options(harness, &subject);
    subject_open(&subject, &options);
    crash(&subject, "crash", 4);
    pause_ms(210);
    struct cordon_value wrong = cordon_string("no number");
    struct cordon_result result;
    struct cordon_function *remember = harness_bind(subject.cell, "remember");
    for (int i = 0; i < 5; i++) {
        harness_expect(cordon_call(remember, &wrong, 1, CORDON_DEFAULT, &result), -EINVAL, &result);
    }
    (void)subject_call(&subject, "remember", 1);
    (void)subject_call(&subject, "remember", 1);
    assert_int_equal(subject_stats(&subject).breaker, CORDON_BREAKER_CLOSED);
    subject_close(&subject);
}

/*
 * One death is one failure, however many calls were in flight. The worker stands meanwhile: one that began while
 * they are submitted could die before all are, and the rest would go to the next one.
 */
static void test_a_batch_fails_once(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = quick_options(harness, &subject);
    subject_open(&subject, &options);
    struct cordon_function *crashes = harness_bind(subject.cell, "crash");
    struct cordon_pending *pending[16];
    struct cordon_error error = {{0}};
    struct cordon_result result;
    struct cordon_value arg = cordon_int(SIGSEGV);
    assert_int_equal(subject_call(&subject, "crash", 0), 0);
    int worker = cordon_session_worker_pid(subject.session);
    assert_true(worker > 1 && kill(worker, SIGSTOP) == 0);
    for (size_t i = 0; i < HARNESS_COUNT(pending); i++) {
        assert_int_equal(
            cordon_submit(subject.session, crashes, &arg, 1, CORDON_DEFAULT, &pending[i], &error),
            0);
    }
    cordon_flush(subject.session);
    assert_int_equal(kill(worker, SIGCONT), 0);
    harness_expect(cordon_collect(pending[0], CORDON_NEVER, &result), CORDON_CRASHED, &result);
    for (size_t i = 1; i < HARNESS_COUNT(pending); i++) {
        harness_expect(cordon_collect(pending[i], CORDON_NEVER, &result), CORDON_ABORTED, &result);
    }
    assert_int_equal(subject_stats(&subject).crashes, 1);
    (void)subject_call(&subject, "recall", 0);
    subject_close(&subject);
}

static void test_batches_are_refused(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = quick_options(harness, &subject);
    subject_open(&subject, &options);
    struct cordon_function *recall = harness_bind(subject.cell, "recall");
    crash(&subject, "crash", 4);
    struct cordon_pending *pending;
    struct cordon_error error = {{0}};
    assert_int_equal(
        cordon_submit(subject.session, recall, NULL, 0, CORDON_DEFAULT, &pending, &error),
        CORDON_OPEN);
    assert_non_null(strstr(error.text, "try again in"));
    pause_ms(210);
    struct cordon_result result;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            cordon_submit(subject.session, recall, NULL, 0, CORDON_DEFAULT, &pending, &error), 0);
        harness_expect(cordon_collect(pending, CORDON_NEVER, &result), CORDON_DONE, &result);
    }
    assert_int_equal(subject_stats(&subject).breaker, CORDON_BREAKER_CLOSED);
    subject_close(&subject);
}

static void test_none_if_none_is_wanted(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = quick_options(harness, &subject);
    options.breaker_percent = options.function_breaker_percent = CORDON_NONE;
    subject_open(&subject, &options);
    crash(&subject, "crash", 25);
    assert_int_equal(subject_stats(&subject).crashes, 25);
    subject_close(&subject);
}

static void test_defaults(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    subject_open(&subject, &options);
    crash(&subject, "crash", 20);
    expect_refused(&subject, "recall", "cell", 1000);
    subject_close(&subject);
}

static void test_percent_is_judged(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    options.library = "";
    options.breaker_percent = 101;
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -EINVAL);
    assert_non_null(strstr(error.text, "breaker_percent"));
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"cell_opens_probes_and_closes", test_cell_opens_probes_and_closes, HARNESS_PROCESS, 0, 0},
        {"function_opens_alone", test_function_opens_alone, HARNESS_PROCESS, 0, 0},
        {"timeouts_count", test_timeouts_count, HARNESS_PROCESS, 0, 0},
        {"refused_arguments_are_no_probe", test_refused_arguments_are_no_probe, HARNESS_PROCESS, 0,
         0},
        {"a_batch_fails_once", test_a_batch_fails_once, HARNESS_PROCESS, 0, 0},
        {"batches_are_refused", test_batches_are_refused, HARNESS_PROCESS, 0, 0},
        {"none_if_none_is_wanted", test_none_if_none_is_wanted, HARNESS_PROCESS, 0, 0},
        {"defaults", test_defaults, HARNESS_PROCESS, 0, 0},
        {"percent_is_judged", test_percent_is_judged, HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
