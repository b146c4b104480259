/* SPDX-License-Identifier: Apache-2.0 */

/* Deadlines: the caller has its answer in time, also when nobody waits, and the cell goes on. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "harness/harness.h"

#define GRACE_MS 1500u /* what a loaded machine may add to a deadline */

static uint64_t ms_since(uint64_t begin_ns)
{
    return (clock_now_ns() - begin_ns) / CLOCK_MS_NS;
}

static void test_call_returns_at_its_deadline(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *wait = harness_bind(cell, "unsigned sleep(unsigned seconds)");
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_value arg = cordon_uint(3);
    struct cordon_result result;
    uint64_t begin_ns = clock_now_ns();
    int r = cordon_call(wait, &arg, 1, cordon_after_ms(150), &result);
    harness_expect(r, CORDON_TIMEOUT, &result);
    assert_in_range(ms_since(begin_ns), 150, 150 + GRACE_MS);
    assert_string_not_equal(result.error.text, "");
    arg = cordon_int(-4);
    if (harness->level == CORDON_LEVEL_PROCESS) {
        assert_int_equal(harness_value(NULL, absolute, &arg, 1).i, 4);
    }
    cordon_cell_close(cell);
}

static void test_default_deadline_is_the_cells(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.deadline_ms = 120;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_function *wait = harness_bind(cell, "unsigned sleep(unsigned seconds)");
    struct cordon_value arg = cordon_uint(3);
    struct cordon_result result;
    uint64_t begin_ns = clock_now_ns();
    harness_expect(cordon_call(wait, &arg, 1, CORDON_DEFAULT, &result), CORDON_TIMEOUT, &result);
    assert_in_range(ms_since(begin_ns), 120, 120 + GRACE_MS);
    cordon_cell_close(cell);
}

static bool worker_is_gone(void *context)
{
    return harness_process_gone(*(int *)context);
}

static void test_deadline_is_enforced_though_nobody_waits(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *wait = harness_bind(cell, "unsigned sleep(unsigned seconds)");
    struct cordon_function *getpid_ = harness_bind(cell, "int getpid(void)");
    (void)harness_call(session, getpid_, NULL, 0);
    int pid = cordon_session_worker_pid(session);
    assert_true(pid > 0);
    struct cordon_pending *pending = NULL;
    struct cordon_value arg = cordon_uint(60);
    struct cordon_error error;
    assert_int_equal(cordon_submit(session, wait, &arg, 1, cordon_after_ms(200), &pending, &error),
                     0);
    cordon_flush(session);
    assert_true(harness_wait(worker_is_gone, &pid, 200 + GRACE_MS));
    struct cordon_result result;
    harness_expect(cordon_collect(pending, 0, &result), CORDON_TIMEOUT, &result);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

/* Calls of a worker that knows them; the keeper is not told of each. @first_ns: the deadline of those before the hanging one. */
static void expect_enforced_in_a_batch(const struct harness *harness, uint64_t first_ns)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *functions[] = {
        harness_bind(cell, "int abs(int j)"),
        harness_bind(cell, "unsigned sleep(unsigned seconds)"),
    };
    struct cordon_pending *pending[4];
    struct cordon_error error;
    struct cordon_result result;
    uint32_t retry_ms;
    assert_int_equal(cordon_session_prepare(session, functions, 2, &retry_ms, &error), 0);
    int pid = cordon_session_worker_pid(session);
    for (int i = 0; i < 4; i++) {
        struct cordon_value arg = i < 3 ? cordon_int(-i) : cordon_uint(60);
        uint64_t deadline_ns = i < 3 ? first_ns : cordon_after_ms(300);
        assert_int_equal(
            cordon_submit(session, functions[i / 3], &arg, 1, deadline_ns, &pending[i], &error), 0);
    }
    cordon_flush(session);
    assert_true(harness_wait(worker_is_gone, &pid, 300 + GRACE_MS));
    for (int i = 0; i < 4; i++) {
        harness_expect(cordon_collect(pending[i], 0, &result), i < 3 ? CORDON_DONE : CORDON_TIMEOUT,
                       &result);
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_deadline_in_a_batch_is_enforced_though_nobody_waits(const struct harness *harness)
{
    expect_enforced_in_a_batch(harness, CORDON_NEVER);
    expect_enforced_in_a_batch(harness, cordon_after_ms(200));
    expect_enforced_in_a_batch(harness, cordon_after_ms(20000));
}

static void test_later_calls_of_a_batch_end_with_the_late_one(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *wait = harness_bind(cell, "unsigned sleep(unsigned seconds)");
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_pending *late = NULL;
    struct cordon_pending *behind = NULL;
    struct cordon_value arg = cordon_int(-1);
    (void)harness_value(session, absolute, &arg, 1);
    arg = cordon_uint(60);
    struct cordon_error error;
    assert_int_equal(cordon_submit(session, wait, &arg, 1, cordon_after_ms(150), &late, &error), 0);
    arg = cordon_int(-1);
    assert_int_equal(
        cordon_submit(session, absolute, &arg, 1, cordon_after_ms(20000), &behind, &error), 0);
    cordon_flush(session);
    struct cordon_result result;
    harness_expect(cordon_collect(late, CORDON_NEVER, &result), CORDON_TIMEOUT, &result);
    assert_false(result.unbegun);
    harness_expect(cordon_collect(behind, CORDON_NEVER, &result), CORDON_ABORTED, &result);
    assert_true(result.unbegun);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

/* A callback that takes longer than the outer call may. */
static int slow(void *context, struct cordon_session *session, const struct cordon_value *args,
                size_t count, struct cordon_value *ret_value)
{
    (void)context, (void)session, (void)args, (void)count;
    (void)poll(NULL, 0, 400);
    *ret_value = cordon_int(0);
    return 0;
}

static void test_deadline_that_passes_in_a_callback_ends_the_call_when_it_returns(
    const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *sort =
        harness_bind(cell, "void qsort(int base[n], size_t n, size_t size,"
                           " int (*cmp)(const int *a, const int *b) fails(0))");
    struct cordon_callback *compare = NULL;
    assert_int_equal(cordon_callback_new(slow, NULL, &compare), 0);
    int numbers[2] = {2, 1};
    const struct cordon_value args[] = {cordon_out(numbers, 2), cordon_uint(4),
                                        cordon_function_pointer(compare)};
    struct cordon_result result;
    harness_expect(cordon_call(sort, args, 3, cordon_after_ms(100), &result), CORDON_TIMEOUT,
                   &result);
    assert_int_equal(numbers[0], 2);
    assert_int_equal(numbers[1], 1);
    cordon_callback_free(compare);
    cordon_cell_close(cell);
}

static void test_never_is_no_deadline(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.deadline_ms = 50;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_function *wait = harness_bind(cell, "int usleep(unsigned usec)");
    struct cordon_value arg = cordon_uint(200000);
    struct cordon_result result;
    harness_expect(cordon_call(wait, &arg, 1, CORDON_NEVER, &result), CORDON_DONE, &result);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"call_returns_at_its_deadline", test_call_returns_at_its_deadline,
         HARNESS_PROCESS | HARNESS_THREAD, HARNESS_ABANDONS, 0},
        {"default_deadline_is_the_cells", test_default_deadline_is_the_cells,
         HARNESS_PROCESS | HARNESS_THREAD, HARNESS_ABANDONS, 0},
        {"deadline_is_enforced_though_nobody_waits", test_deadline_is_enforced_though_nobody_waits,
         HARNESS_PROCESS, 0, 0},
        {"deadline_in_a_batch_is_enforced_though_nobody_waits",
         test_deadline_in_a_batch_is_enforced_though_nobody_waits, HARNESS_PROCESS, 0, 0},
        {"later_calls_of_a_batch_end_with_the_late_one",
         test_later_calls_of_a_batch_end_with_the_late_one, HARNESS_PROCESS, 0, 0},
        {"deadline_that_passes_in_a_callback_ends_the_call_when_it_returns",
         test_deadline_that_passes_in_a_callback_ends_the_call_when_it_returns, HARNESS_PROCESS, 0,
         0},
        {"never_is_no_deadline", test_never_is_no_deadline, HARNESS_ALL_LEVELS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
