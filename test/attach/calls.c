/* SPDX-License-Identifier: Apache-2.0 */

/* A cell of a daemon is used as any cell: calls, callbacks, batches, arenas, objects, events, deadlines. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach/rig.h"
#include "base/clock.h"

static void test_calls_go_to_the_worker_and_no_process_is_started_here(
    const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    rig_open(&rig, NULL);
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_function *absolute = harness_bind(cell, "abs");
    struct cordon_function *length = harness_bind(cell, "size_t strlen(const char *s)");
    for (int i = 1; i < 1000; i++) {
        rig_expect_abs(NULL, absolute, i);
    }
    struct cordon_value text = cordon_string("in shared memory");
    assert_int_equal(harness_value(NULL, length, &text, 1).u, 16);
    /* What descends from this case is the daemon's: its keeper has the one worker. */
    assert_int_equal(harness_descendants((int)getpid(), "cordon-keeper", NULL, 0), 0);
    assert_int_equal(rig_order(&rig, "").leases, 1);
    assert_true(cordon_cell_isolation(cell) & CORDON_SEPARATE_MEMORY);
    cordon_cell_close(cell);
    assert_true(rig_await_leases(&rig, 0));
    rig_close(&rig);
}

static void test_on_start_calls_were_made_before(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    rig_open(&rig, NULL);
    struct cordon_cell *cell = rig_attach(&rig);
    srand(42);
    assert_int_equal(harness_value(NULL, harness_bind(cell, "rand"), NULL, 0).i, rand());
    struct cordon_error error;
    struct cordon_value seed = cordon_uint(1);
    assert_int_equal(cordon_cell_on_start(cell, harness_bind(cell, "srand"), &seed, 1, &error),
                     -ENOTSUP);
    cordon_cell_close(cell);
    rig_close(&rig);
}

static void test_only_what_is_lent_can_be_bound(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    rig_open(&rig, NULL);
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_function *function = NULL;
    struct cordon_error error;
    assert_int_equal(cordon_bind(cell, "int getpid(void)", 0, &function, &error), -EPERM);
    assert_int_equal(cordon_bind(cell, "long abs(int j)", 0, &function, &error), -EPERM);
    assert_int_equal(cordon_bind(cell, "getpid", 0, &function, &error), -ENOENT);
    /* Lent, and the library does not have it. */
    assert_int_equal(cordon_bind(cell, "no_such_function", 0, &function, &error), -EPERM);
    assert_non_null(strstr(error.text, "the library does not have it"));
    assert_int_equal(cordon_bind(cell, "int abs(int j)", 0, &function, &error), 0);
    cordon_cell_close(cell);
    rig_close(&rig);
}

static int compare(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    (void)session, (void)count;
    ++*(int *)context;
    *ret_value = cordon_int(*(const uint8_t *)args[0].memory - *(const uint8_t *)args[1].memory);
    return 0;
}

static void test_callbacks_come_here(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    int calls = 0;
    uint8_t bytes[] = {9, 3, 7, 1, 5};
    struct cordon_callback *callback = NULL;
    rig_open(&rig, NULL);
    struct cordon_cell *cell = rig_attach(&rig);
    assert_int_equal(cordon_callback_new(compare, &calls, &callback), 0);
    const struct cordon_value args[] = {cordon_out(bytes, sizeof bytes), cordon_uint(sizeof bytes),
                                        cordon_uint(1), cordon_function_pointer(callback)};
    (void)harness_call(NULL, harness_bind(cell, "qsort"), args, 4);
    assert_memory_equal(bytes, ((uint8_t[]){1, 3, 5, 7, 9}), sizeof bytes);
    assert_true(calls >= 4);
    cordon_cell_close(cell);
    cordon_callback_free(callback);
    rig_close(&rig);
}

static void test_batches_arenas_and_objects(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    struct cordon_error error;
    rig_open(&rig, "arena_bytes=1048576");
    struct cordon_cell *cell =
        rig_attach_with(&rig, (struct cordon_attach_options){.arena_bytes = 1u << 20});
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "abs");
    struct cordon_pending *pending[CORDON_BATCH_MAX];
    struct cordon_result result;
    for (int i = 0; i < CORDON_BATCH_MAX; i++) {
        struct cordon_value arg = cordon_int(-i);
        assert_int_equal(
            cordon_submit(session, absolute, &arg, 1, CORDON_DEFAULT, &pending[i], &error), 0);
    }
    cordon_flush(session);
    for (int i = 0; i < CORDON_BATCH_MAX; i++) {
        harness_expect(cordon_collect(pending[i], CORDON_NEVER, &result), CORDON_DONE, &result);
        assert_int_equal(result.value.i, i);
    }
    uint8_t *bytes = cordon_arena_alloc(session, 4096);
    assert_non_null(bytes);
    const struct cordon_value set[] = {cordon_out(bytes, 4096), cordon_int(7), cordon_uint(4096)};
    (void)harness_call(session, harness_bind(cell, "memset"), set, 3);
    assert_int_equal(bytes[4095], 7);
    struct cordon_handle pair;
    int a = 77;
    assert_int_equal(cordon_object_new(session, "struct pair", &pair, &error), 0);
    assert_int_equal(cordon_object_write(session, pair, "a", &a, sizeof a, &error), 0);
    const struct cordon_value clear[] = {cordon_object(pair), cordon_uint(8)};
    (void)harness_call(session, harness_bind(cell, "bzero"), clear, 2);
    assert_int_equal(cordon_object_read(session, pair, "a", &a, sizeof a, &error), 0);
    assert_int_equal(a, 0);
    cordon_session_close(session);
    cordon_cell_close(cell);
    rig_close(&rig);
}

static void test_events_tell_of_answers_and_of_the_end(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    struct cordon_error error;
    struct cordon_result result;
    struct cordon_pending *pending;
    rig_open(&rig, NULL);
    struct cordon_cell *cell =
        rig_attach_with(&rig, (struct cordon_attach_options){.events = true});
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *wait = harness_bind(cell, "usleep");
    struct cordon_function *crash = harness_bind(cell, "abort");
    struct pollfd event = {.fd = cordon_session_event_fd(session), .events = POLLIN};
    struct cordon_value arg = cordon_uint(20000);
    while (poll(&event, 1, 0) == 1) {
        assert_int_equal(cordon_collect_any(session, 0, &pending), -ENOENT);
    }
    assert_int_equal(cordon_submit(session, wait, &arg, 1, CORDON_DEFAULT, &pending, &error), 0);
    cordon_flush(session);
    assert_int_equal(poll(&event, 1, 5000), 1);
    assert_int_equal(cordon_collect(pending, CORDON_NEVER, &result), CORDON_DONE);
    /* Nobody here is woken by a futex: the daemon says it. */
    assert_int_equal(cordon_submit(session, crash, NULL, 0, CORDON_NEVER, &pending, &error), 0);
    cordon_flush(session);
    int r;
    do {
        assert_int_equal(poll(&event, 1, 5000), 1);
        r = cordon_collect(pending, 0, &result);
    } while (r == -ETIME);
    harness_expect(r, CORDON_CRASHED, &result);
    /* And one that waits here for a crash does not wait long. */
    uint64_t begin_ns = clock_now_ns();
    r = cordon_session_call(session, crash, NULL, 0, CORDON_NEVER, &result);
    harness_expect(r, CORDON_CRASHED, &result);
    assert_in_range(clock_now_ns() - begin_ns, 0, CLOCK_SECOND_NS);
    cordon_session_close(session);
    cordon_cell_close(cell);
    rig_close(&rig);
}

static void test_deadlines_end_the_worker_and_the_next_call_has_another(
    const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    struct cordon_result result;
    rig_open(&rig, NULL);
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_function *wait = harness_bind(cell, "usleep");
    struct cordon_function *absolute = harness_bind(cell, "abs");
    struct cordon_value arg = cordon_uint(60000000);
    uint64_t begin_ns = clock_now_ns();
    int r = cordon_call(wait, &arg, 1, cordon_after_ms(50), &result);
    harness_expect(r, CORDON_TIMEOUT, &result);
    assert_in_range(clock_now_ns() - begin_ns, 50 * CLOCK_MS_NS, 2 * CLOCK_SECOND_NS);
    rig_expect_abs(NULL, absolute, 5);
    /* The keeper's word, not the client's. */
    assert_int_equal(rig_order(&rig, "").timeouts, 1);
    cordon_cell_close(cell);
    rig_close(&rig);
}

static void test_no_call_takes_longer_than_the_daemon_allows(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    struct cordon_result result;
    rig_open(&rig, "deadline_max_ms=200");
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_value arg = cordon_uint(60000000);
    uint64_t begin_ns = clock_now_ns();
    int r = cordon_call(harness_bind(cell, "usleep"), &arg, 1, CORDON_NEVER, &result);
    harness_expect(r, CORDON_TIMEOUT, &result);
    assert_in_range(clock_now_ns() - begin_ns, 200 * CLOCK_MS_NS, 5 * CLOCK_SECOND_NS);
    cordon_cell_close(cell);
    rig_close(&rig);
}

static void test_a_crash_is_one_outcome_and_the_next_pair_comes(const struct harness *harness)
{
    (void)harness;
    struct rig rig;
    struct cordon_result result;
    rig_open(&rig, "leases=1 samples=1000");
    struct cordon_cell *cell = rig_attach(&rig);
    struct cordon_function *crash = harness_bind(cell, "abort");
    struct cordon_function *leave = harness_bind(cell, "_exit");
    struct cordon_function *absolute = harness_bind(cell, "abs");
    for (int i = 1; i <= 10; i++) {
        struct cordon_value status = cordon_int(7);
        harness_expect(cordon_call(crash, NULL, 0, CORDON_DEFAULT, &result), CORDON_CRASHED,
                       &result);
        if (result.signal != 6) {
            fail_msg("%s", result.error.text);
        }
        rig_expect_abs(NULL, absolute, i);
        harness_expect(cordon_call(leave, &status, 1, CORDON_DEFAULT, &result), CORDON_CRASHED,
                       &result);
        assert_int_equal(result.exit_status, 7);
    }
    cordon_cell_close(cell);
    assert_true(rig_await_leases(&rig, 0));
    assert_int_equal(rig_order(&rig, "").crashes, 20);
    rig_close(&rig);
}

/* What believes its client is lent within the process alone, and by who says that it is (go/inproc has the rest). */
static void test_threads_are_lent_within_the_process_alone(const struct harness *harness)
{
    struct cordon_lender *lender = NULL;
    struct cordon_error error;
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.interface_text = "int abs(int j);";
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_lend_options lend = {.size = sizeof lend};
    int seat = -1;
    assert_int_equal(cordon_lender_open(&lender, &error), 0);
    assert_int_equal(cordon_lender_offer(lender, cell, NULL, &error), -ENOTSUP);
    assert_int_equal(cordon_lender_offer(lender, cell, &lend, &error), -ENOTSUP);
    lend.size = offsetof(struct cordon_lend_options, here); /* of who knows nothing of it */
    lend.here = true;
    assert_int_equal(cordon_lender_offer(lender, cell, &lend, &error), -ENOTSUP);
    lend.size = sizeof lend;
    assert_int_equal(cordon_lender_offer(lender, cell, &lend, &error), 0);
    assert_int_equal(cordon_lender_attach(lender, cell, -1, &seat, &error), 0);
    assert_null(cordon_lender_place(lender, 1));
    (void)close(seat);
    cordon_lender_close(lender);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"threads_are_lent_within_the_process_alone",
         test_threads_are_lent_within_the_process_alone, HARNESS_THREAD | HARNESS_INLINE, 0, 0},
        {"calls_go_to_the_worker_and_no_process_is_started_here",
         test_calls_go_to_the_worker_and_no_process_is_started_here, HARNESS_ONCE, HARNESS_COLD, 0},
        {"on_start_calls_were_made_before", test_on_start_calls_were_made_before, HARNESS_ONCE,
         HARNESS_COLD, 0},
        {"only_what_is_lent_can_be_bound", test_only_what_is_lent_can_be_bound, HARNESS_ONCE,
         HARNESS_COLD, 0},
        {"callbacks_come_here", test_callbacks_come_here, HARNESS_ONCE, HARNESS_COLD, 0},
        {"batches_arenas_and_objects", test_batches_arenas_and_objects, HARNESS_ONCE, HARNESS_COLD,
         0},
        {"events_tell_of_answers_and_of_the_end", test_events_tell_of_answers_and_of_the_end,
         HARNESS_ONCE, HARNESS_COLD, 0},
        {"deadlines_end_the_worker_and_the_next_call_has_another",
         test_deadlines_end_the_worker_and_the_next_call_has_another, HARNESS_ONCE, HARNESS_COLD,
         0},
        {"no_call_takes_longer_than_the_daemon_allows",
         test_no_call_takes_longer_than_the_daemon_allows, HARNESS_ONCE, HARNESS_COLD, 0},
        {"a_crash_is_one_outcome_and_the_next_pair_comes",
         test_a_crash_is_one_outcome_and_the_next_pair_comes, HARNESS_ONCE, HARNESS_COLD, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
