/* SPDX-License-Identifier: Apache-2.0 */

/* Calls that each fresh worker begins with: executed once in every one, before anything else. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "recovery/subject.h"

static int on_start(const struct subject *subject, const char *name, struct cordon_value arg,
                    struct cordon_error *ret_error)
{
    return cordon_cell_on_start(subject->cell, harness_bind(subject->cell, name), &arg, 1,
                                ret_error);
}

static void expect_recorded(const struct subject *subject, const char *name,
                            struct cordon_value arg)
{
    struct cordon_error error = {{0}};
    int r = on_start(subject, name, arg, &error);
    if (r != 0) {
        fail_msg("%d: %s", r, error.text);
    }
}

static void crash(const struct subject *subject)
{
    struct cordon_result result;
    harness_expect(subject_try(subject, "crash", SIGSEGV, &result), CORDON_CRASHED, &result);
}

static void test_is_repeated_in_fresh_workers(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.spares = CORDON_NONE;
    subject_open(&subject, &options);
    expect_recorded(&subject, "remember", cordon_int(1));
    expect_recorded(&subject, "remember_text", cordon_string("seven b"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(subject_call(&subject, "recall", 0), 7); /* in order */
        assert_int_equal(subject_call(&subject, "recalls", 0), 2);
        crash(&subject);
    }
    subject_close(&subject);
}

static void test_is_repeated_in_spares(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    subject_open(&subject, &options);
    subject_await_spares(&subject, 1);
    expect_recorded(&subject, "remember", cordon_int(5)); /* the spare is older */
    for (int i = 0; i < 3; i++) {
        crash(&subject);
        assert_int_equal(subject_call(&subject, "recall", 0), 5);
        assert_int_equal(subject_call(&subject, "recalls", 0), 1);
        subject_await_spares(&subject, 1);
    }
    assert_int_equal(subject_stats(&subject).promoted, 3);
    subject_close(&subject);
}

/* Sessions that have a worker already execute it before their next call. */
static void test_reaches_workers_that_serve(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    subject_open(&subject, &options);
    struct cordon_session *session = harness_session(subject.cell);
    struct cordon_function *recall = harness_bind(subject.cell, "recall");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(harness_value(session, recall, NULL, 0).i, i); /* quick by now */
        assert_int_equal(harness_value(session, recall, NULL, 0).i, i);
        expect_recorded(&subject, "remember", cordon_int(i + 1));
        assert_int_equal(harness_value(session, recall, NULL, 0).i, i + 1);
    }
    struct cordon_session *late = harness_session(subject.cell);
    assert_int_equal(harness_value(late, recall, NULL, 0).i, 3);
    cordon_session_close(session);
    cordon_session_close(late);
    subject_close(&subject);
}

static void test_failing_first_call_is_not_kept(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    struct cordon_error error = {{0}};
    subject_open(&subject, &options);
    assert_int_equal(on_start(&subject, "crash", cordon_int(SIGSEGV), &error), CORDON_CRASHED);
    assert_non_null(strstr(error.text, "signal"));
    assert_int_equal(subject_call(&subject, "recall", 0), 0);
    assert_int_equal(subject_stats(&subject).starts_failed, 0);
    subject_close(&subject);
}

/* It works where it is recorded, and crashes in a fresh worker. */
static void test_failing_later_is_a_failing_start(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.spares = CORDON_NONE;
    subject_open(&subject, &options);
    (void)subject_call(&subject, "remember", 3);
    expect_recorded(&subject, "crash_if", cordon_int(0));
    struct cordon_function *recall = harness_bind(subject.cell, "recall");
    crash(&subject);
    struct cordon_result result;
    int r = cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_CRASHED, &result);
    assert_non_null(strstr(result.error.text, "crash_if"));
    r = cordon_call(recall, NULL, 0, CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_OPEN, &result);
    assert_non_null(strstr(result.error.text, "crash_if"));
    assert_int_equal(subject_stats(&subject).starts_failed, 1);
    subject_close(&subject);
}

static void test_what_belongs_to_one_worker_is_refused(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    struct cordon_error error = {{0}};
    subject_open(&subject, &options);
    struct cordon_value seven = cordon_int(7);
    struct cordon_value thing =
        harness_value(NULL, harness_bind(subject.cell, "thing_new"), &seven, 1);
    int r = on_start(&subject, "thing_value", cordon_object(thing.handle), &error);
    assert_int_equal(r, -EINVAL);
    assert_non_null(strstr(error.text, "worker"));
    struct cordon_callback *callback = subject_callback();
    r = on_start(&subject, "keep", cordon_function_pointer(callback), &error);
    assert_int_equal(r, -ENOTSUP);
    cordon_callback_free(callback);
    subject_close(&subject);
}

static void test_limits(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    struct cordon_error error = {{0}};
    static char large[LIMIT_ON_START_BYTES + 1];
    subject_open(&subject, &options);
    memset(large, 'x', sizeof large - 1);
    assert_int_equal(on_start(&subject, "remember_text", cordon_string(large), &error), -E2BIG);
    assert_non_null(strstr(error.text, "LIMIT_ON_START_BYTES"));
    for (uint32_t i = 0; i < LIMIT_ON_START; i++) {
        expect_recorded(&subject, "remember", cordon_int((int)i));
    }
    assert_int_equal(on_start(&subject, "remember", cordon_int(99), &error), -E2BIG);
    assert_non_null(strstr(error.text, "LIMIT_ON_START"));
    crash(&subject);
    assert_int_equal(subject_call(&subject, "recalls", 0), LIMIT_ON_START);
    assert_int_equal(subject_call(&subject, "recall", 0), LIMIT_ON_START - 1);
    subject_close(&subject);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"is_repeated_in_fresh_workers", test_is_repeated_in_fresh_workers, HARNESS_PROCESS, 0, 0},
        {"is_repeated_in_spares", test_is_repeated_in_spares, HARNESS_PROCESS, 0, 0},
        {"reaches_workers_that_serve", test_reaches_workers_that_serve,
         HARNESS_PROCESS | HARNESS_THREAD, 0, 0},
        {"failing_first_call_is_not_kept", test_failing_first_call_is_not_kept, HARNESS_PROCESS, 0,
         0},
        {"failing_later_is_a_failing_start", test_failing_later_is_a_failing_start, HARNESS_PROCESS,
         0, 0},
        {"what_belongs_to_one_worker_is_refused", test_what_belongs_to_one_worker_is_refused,
         HARNESS_PROCESS, 0, 0},
        {"limits", test_limits, HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
