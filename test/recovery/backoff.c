/* SPDX-License-Identifier: Apache-2.0 */

/* Starts that fail are left alone for a while, longer each time; calls meanwhile are refused at once. */
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

static void break_starts(const struct subject *subject)
{
    struct cordon_result result;
    subject_fail(subject, true);
    harness_expect(subject_try(subject, "crash", SIGSEGV, &result), CORDON_CRASHED, &result);
}

static void test_calls_are_refused_meanwhile(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.spares = CORDON_NONE;
    subject_open(&subject, &options);
    struct cordon_function *recall = harness_bind(subject.cell, "recall");
    break_starts(&subject);
    struct cordon_result result;
    uint32_t longest_ms = 0;
    for (uint32_t failures = 1; failures <= 5; failures++) {
        int r = cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result);
        harness_expect(r, CORDON_CRASHED, &result); /* tried, and told as it is */
        assert_non_null(strstr(result.error.text, "signal 6"));
        assert_int_equal(subject_stats(&subject).starts_failed, failures);
        uint64_t begin_ns = clock_now_ns();
        r = cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result);
        uint32_t pause = 10u << (failures - 1);
        if (r == CORDON_CRASHED) {
            failures++; /* this machine was slower than the pause was long */
            continue;
        }
        harness_expect(r, CORDON_OPEN, &result);
        assert_true(clock_now_ns() - begin_ns < 200 * CLOCK_MS_NS);
        assert_non_null(strstr(result.error.text, "signal 6")); /* the last reason */
        assert_non_null(strstr(result.error.text, "try again in"));
        assert_in_range(result.retry_after_ms, 1, pause + pause / 4 + 1);
        assert_int_equal(subject_stats(&subject).starts_failed, failures);
        longest_ms = result.retry_after_ms;
        pause_ms(result.retry_after_ms + 1);
    }
    assert_in_range(longest_ms, 40, 201);
    subject_fail(&subject, false);
    /* As late as the refusals say, and no later. */
    int r = cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result);
    if (r == CORDON_OPEN) {
        pause_ms(result.retry_after_ms + 1);
        r = cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result);
    }
    harness_expect(r, CORDON_DONE, &result);
    break_starts(&subject);
    /* Forgotten: the first failure is tried and told again. */
    r = cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_CRASHED, &result);
    subject_close(&subject);
}

static void test_a_spare_helps_once(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    subject_open(&subject, &options);
    struct cordon_function *recall = harness_bind(subject.cell, "recall");
    struct cordon_function *crash = harness_bind(subject.cell, "crash");
    subject_await_spares(&subject, 1);
    break_starts(&subject);
    struct cordon_result result;
    struct cordon_value arg = cordon_int(SIGSEGV);
    harness_expect(cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result), CORDON_DONE, &result);
    harness_expect(cordon_call(crash, &arg, 1, CORDON_DEFAULT, &result), CORDON_CRASHED, &result);
    harness_expect(cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result), CORDON_CRASHED, &result);
    subject_close(&subject);
}

static void test_opening_says_why(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.spares = CORDON_NONE;
    subject_open(&subject, &options);
    struct cordon_session *session = NULL;
    struct cordon_error error = {{0}};
    subject_fail(&subject, true);
    int r = cordon_session_open(subject.cell, &session, &error);
    assert_true(r < 0);
    assert_non_null(strstr(error.text, "signal 6"));
    assert_int_equal(subject_call(&subject, "recall", 0), 0); /* who has a worker goes on */
    subject_close(&subject);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"calls_are_refused_meanwhile", test_calls_are_refused_meanwhile, HARNESS_PROCESS, 0, 0},
        {"a_spare_helps_once", test_a_spare_helps_once, HARNESS_PROCESS, 0, 0},
        {"opening_says_why", test_opening_says_why, HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
