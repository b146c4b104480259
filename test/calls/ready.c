/* SPDX-License-Identifier: Apache-2.0 */

/* Event loops: submitting without waiting for a worker, preparing one, and sending again what was not begun. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/harness.h"

static int submit(struct cordon_session *session, struct cordon_function *function, int64_t i,
                  struct cordon_pending **ret_pending)
{
    struct cordon_value arg = cordon_int(i);
    return cordon_submit_ready(session, function, &arg, 1, CORDON_DEFAULT, ret_pending, NULL);
}

static int collect(struct cordon_pending *pending, struct cordon_result *ret_result)
{
    return cordon_collect(pending, CORDON_NEVER, ret_result);
}

static void prepare(struct cordon_session *session, struct cordon_function **functions,
                    size_t count)
{
    struct cordon_error error = {{0}};
    int r = cordon_session_prepare(session, functions, count, NULL, &error);
    if (r != 0) {
        fail_msg("prepare: %d: %s", r, error.text);
    }
}

static void test_only_a_ready_session_is_submitted_to(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_session *session = harness_session(cell);
    struct cordon_pending *pending = NULL;
    struct cordon_result result;
    assert_int_equal(submit(session, absolute, -1, &pending), -ENOTCONN);
    prepare(session, &absolute, 1);
    assert_int_equal(submit(session, absolute, -2, &pending), 0);
    assert_int_equal(cordon_session_prepare(session, &absolute, 1, NULL, NULL), -EBUSY);
    cordon_flush(session);
    harness_expect(collect(pending, &result), CORDON_DONE, &result);
    assert_int_equal(result.value.i, 2);
    struct cordon_function *labs_ = harness_bind(cell, "long labs(long j)");
    assert_int_equal(submit(session, labs_, -3, &pending), -ENOTCONN); /* not bound here yet */
    prepare(session, &labs_, 1);
    assert_int_equal(submit(session, labs_, -3, &pending), 0);
    harness_expect(collect(pending, &result), CORDON_DONE, &result);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_calls_behind_a_crash_are_told_unbegun(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *functions[] = {harness_bind(cell, "int abs(int j)"),
                                           harness_bind(cell, "int raise(int sig)")};
    struct cordon_session *session = harness_session(cell);
    struct cordon_pending *pending[4];
    struct cordon_result result;
    prepare(session, functions, 2);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(submit(session, functions[i == 1], i == 1 ? SIGKILL : -i, &pending[i]), 0);
    }
    cordon_flush(session);
    harness_expect(collect(pending[0], &result), CORDON_DONE, &result);
    harness_expect(collect(pending[1], &result), CORDON_CRASHED, &result);
    assert_false(result.unbegun);
    for (int i = 2; i < 4; i++) {
        harness_expect(collect(pending[i], &result), CORDON_ABORTED, &result);
        assert_true(result.unbegun);
    }
    assert_int_equal(submit(session, functions[0], -7, &pending[0]), -ENOTCONN);
    prepare(session, functions, 2);
    assert_int_equal(submit(session, functions[0], -7, &pending[0]), 0);
    harness_expect(collect(pending[0], &result), CORDON_DONE, &result);
    assert_int_equal(result.value.i, 7);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_a_worn_worker_is_not_ready(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.recycle_calls = 2;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_session *session = harness_session(cell);
    uint32_t recycled = 0;
    for (int i = 0; i < 20; i++) {
        struct cordon_pending *pending = NULL;
        struct cordon_result result;
        int r = submit(session, absolute, -i, &pending);
        if (r == -ENOTCONN) {
            prepare(session, &absolute, 1);
            recycled++;
            r = submit(session, absolute, -i, &pending);
        }
        assert_int_equal(r, 0);
        harness_expect(collect(pending, &result), CORDON_DONE, &result);
        assert_int_equal(result.value.i, i);
    }
    assert_in_range(recycled, 5, 11);
    struct cordon_cell_stats stats;
    cordon_cell_stats(cell, &stats);
    assert_int_equal(stats.recycled, recycled - 1); /* the first was a start */
    cordon_session_close(session);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"only_a_ready_session_is_submitted_to", test_only_a_ready_session_is_submitted_to,
         HARNESS_ALL_LEVELS, 0, 0},
        {"calls_behind_a_crash_are_told_unbegun", test_calls_behind_a_crash_are_told_unbegun,
         HARNESS_PROCESS, 0, 0},
        {"a_worn_worker_is_not_ready", test_a_worn_worker_is_not_ready, HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
