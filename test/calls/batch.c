/* SPDX-License-Identifier: Apache-2.0 */

/* Batches: many calls in flight, one doorbell, collected in order or as they finish. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "harness/harness.h"

static struct cordon_pending *submit(struct cordon_session *session,
                                     struct cordon_function *function, int64_t i)
{
    struct cordon_pending *pending = NULL;
    struct cordon_error error = {{0}};
    struct cordon_value arg = cordon_int(i);
    int r = cordon_submit(session, function, &arg, 1, CORDON_DEFAULT, &pending, &error);
    if (r != 0) {
        fail_msg("submit: %d: %s", r, error.text);
    }
    assert_non_null(pending);
    return pending;
}

static void test_64_in_flight_are_collected_in_order(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    for (int round = 0; round < 20; round++) {
        struct cordon_pending *pending[CORDON_BATCH_MAX];
        for (int i = 0; i < CORDON_BATCH_MAX; i++) {
            pending[i] = submit(session, absolute, -(round * 1000 + i));
        }
        cordon_flush(session);
        for (int i = 0; i < CORDON_BATCH_MAX; i++) {
            struct cordon_result result;
            int r = cordon_collect(pending[i], CORDON_NEVER, &result);
            harness_expect(r, CORDON_DONE, &result);
            assert_int_equal(result.value.i, round * 1000 + i);
        }
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_calls_are_collected_as_they_finish(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_pending *pending[CORDON_BATCH_MAX];
    bool seen[CORDON_BATCH_MAX] = {false};
    for (int i = 0; i < CORDON_BATCH_MAX; i++) {
        pending[i] = submit(session, absolute, -i);
    }
    cordon_flush(session);
    for (int i = 0; i < CORDON_BATCH_MAX; i++) {
        struct cordon_pending *any = NULL;
        struct cordon_result result;
        assert_int_equal(cordon_collect_any(session, cordon_after_ms(5000), &any), 0);
        harness_expect(cordon_collect(any, 0, &result), CORDON_DONE, &result);
        assert_in_range(result.value.i, 0, CORDON_BATCH_MAX - 1);
        assert_ptr_equal(pending[result.value.i], any);
        assert_false(seen[result.value.i]);
        seen[result.value.i] = true;
    }
    struct cordon_pending *none = NULL;
    assert_int_equal(cordon_collect_any(session, 0, &none), -ENOENT);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_the_65th_call_must_wait(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_pending *pending[CORDON_BATCH_MAX];
    for (int i = 0; i < CORDON_BATCH_MAX; i++) {
        pending[i] = submit(session, absolute, -i);
    }
    struct cordon_pending *more = NULL;
    struct cordon_error error = {{0}};
    struct cordon_value arg = cordon_int(-1);
    assert_int_equal(cordon_submit(session, absolute, &arg, 1, CORDON_DEFAULT, &more, &error),
                     -EAGAIN);
    assert_string_not_equal(error.text, "");
    assert_null(more);
    cordon_flush(session);
    for (int i = 0; i < CORDON_BATCH_MAX; i++) {
        struct cordon_result result;
        harness_expect(cordon_collect(pending[i], CORDON_NEVER, &result), CORDON_DONE, &result);
    }
    more = submit(session, absolute, -7);
    cordon_flush(session);
    struct cordon_result result;
    harness_expect(cordon_collect(more, CORDON_NEVER, &result), CORDON_DONE, &result);
    assert_int_equal(result.value.i, 7);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_outputs_are_written_when_collected(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *print = harness_bind(
        cell, "int snprintf(out char buffer[size], size_t size, const char *format, ...)");
    char texts[32][16];
    struct cordon_pending *pending[32];
    for (int i = 0; i < 32; i++) {
        struct cordon_error error;
        struct cordon_value args[] = {cordon_out(texts[i], 16), cordon_uint(16),
                                      cordon_string("n%d"), cordon_int(i)};
        assert_int_equal(
            cordon_submit(session, print, args, 4, CORDON_DEFAULT, &pending[i], &error), 0);
    }
    cordon_flush(session);
    for (int i = 31; i >= 0; i--) {
        struct cordon_result result;
        harness_expect(cordon_collect(pending[i], CORDON_NEVER, &result), CORDON_DONE, &result);
        char expected[16];
        (void)snprintf(expected, sizeof expected, "n%d", i);
        assert_string_equal(texts[i], expected);
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static struct cordon_cell *open_with_events(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.events = true;
    return harness_open_with(&options);
}

static void test_event_fd_tells_epoll_of_answers(const struct harness *harness)
{
    struct cordon_cell *cell = open_with_events(harness);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    int event_fd = cordon_session_event_fd(session);
    assert_true(event_fd >= 0);
    OWN_FD poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN};
    assert_int_equal(epoll_ctl(poller, EPOLL_CTL_ADD, event_fd, &wanted), 0);
    int collected = 0;
    for (int i = 0; i < 32; i++) {
        (void)submit(session, absolute, -i);
    }
    cordon_flush(session);
    while (collected < 32) {
        struct epoll_event event;
        assert_int_equal(epoll_wait(poller, &event, 1, 5000), 1);
        struct cordon_pending *any = NULL;
        while (cordon_collect_any(session, 0, &any) == 0) {
            struct cordon_result result;
            harness_expect(cordon_collect(any, 0, &result), CORDON_DONE, &result);
            collected++;
        }
    }
    struct pollfd idle = {.fd = event_fd, .events = POLLIN};
    assert_int_equal(poll(&idle, 1, 0), 0);
    fd_release(&poller);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_event_fd_tells_of_deadlines(const struct harness *harness)
{
    struct cordon_cell *cell = open_with_events(harness);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *wait = harness_bind(cell, "int usleep(unsigned usec)");
    struct pollfd event = {.fd = cordon_session_event_fd(session), .events = POLLIN};
    for (int round = 0; round < 2; round++) {
        struct cordon_pending *pending[2] = {NULL, NULL};
        struct cordon_pending *any = NULL;
        struct cordon_error error = {{0}};
        struct cordon_result result;
        struct cordon_value arg = cordon_uint(1);
        /* The later deadline first: the earlier one is what the timer is for. */
        assert_int_equal(
            cordon_submit(session, wait, &arg, 1, cordon_after_ms(20000), &pending[0], &error), 0);
        arg = cordon_uint(900000);
        assert_int_equal(
            cordon_submit(session, wait, &arg, 1, cordon_after_ms(150), &pending[1], &error), 0);
        cordon_flush(session);
        uint64_t begin_ns = clock_now_ns();
        int ended = 0;
        while (ended < 2) {
            assert_int_equal(poll(&event, 1, 5000), 1);
            while (cordon_collect_any(session, 0, &any) == 0) {
                int r = cordon_collect(any, 0, &result);
                harness_expect(r, any == pending[0] ? CORDON_DONE : CORDON_TIMEOUT, &result);
                ended++;
            }
        }
        assert_in_range((clock_now_ns() - begin_ns) / CLOCK_MS_NS, 140, 700);
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static bool is_quiet_after_look(void *context)
{
    struct cordon_session *session = context;
    struct cordon_pending *any = NULL;
    struct pollfd event = {.fd = cordon_session_event_fd(session), .events = POLLIN};
    return cordon_collect_any(session, 0, &any) == -ENOENT && poll(&event, 1, 20) == 0;
}

/* A program that collects what the descriptor tells of must come to rest, whatever rang. */
static void test_event_fd_is_quiet_when_nothing_is_in_flight(const struct harness *harness)
{
    struct cordon_cell *cell = open_with_events(harness);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct pollfd event = {.fd = cordon_session_event_fd(session), .events = POLLIN};
    struct cordon_pending *any = NULL;
    struct cordon_error error = {{0}};
    struct cordon_value arg = cordon_int(-1);
    assert_int_equal(cordon_submit(session, absolute, &arg, 1, cordon_after_ms(100), &any, &error),
                     0);
    cordon_flush(session);
    struct cordon_result result;
    harness_expect(cordon_collect(any, CORDON_NEVER, &result), CORDON_DONE, &result);
    assert_int_equal(cordon_collect_any(session, 0, &any), -ENOENT);
    assert_int_equal(poll(&event, 1, 0), 0);
    (void)poll(&event, 1, 300); /* the deadline of a call that ended long before may still ring */
    assert_int_equal(cordon_collect_any(session, 0, &any), -ENOENT);
    assert_int_equal(poll(&event, 1, 0), 0);
    if (harness->level == CORDON_LEVEL_PROCESS) {
        assert_int_equal(kill(cordon_session_worker_pid(session), SIGKILL), 0);
        assert_int_equal(poll(&event, 1, 5000), 1);
        assert_true(harness_wait(is_quiet_after_look, session, 5000));
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_cells_without_events_have_no_event_fd(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    assert_int_equal(cordon_session_event_fd(session), -1);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_collect_gives_up_at_its_time(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *wait = harness_bind(cell, "int usleep(unsigned usec)");
    struct cordon_pending *pending = NULL;
    struct cordon_value arg = cordon_uint(400000);
    struct cordon_error error;
    assert_int_equal(cordon_submit(session, wait, &arg, 1, CORDON_DEFAULT, &pending, &error), 0);
    cordon_flush(session);
    struct cordon_result result;
    assert_int_equal(cordon_collect(pending, 0, &result), -ETIME);
    assert_int_equal(cordon_collect(pending, cordon_after_ms(20), &result), -ETIME);
    harness_expect(cordon_collect(pending, CORDON_NEVER, &result), CORDON_DONE, &result);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_a_crash_in_a_batch_ends_every_call_once(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_function *raise_ = harness_bind(cell, "int raise(int sig)");
    struct cordon_pending *pending[10];
    for (int i = 0; i < 10; i++) {
        pending[i] = submit(session, i == 5 ? raise_ : absolute, i == 5 ? 11 : -i);
    }
    cordon_flush(session);
    for (int i = 0; i < 10; i++) {
        struct cordon_result result;
        int r = cordon_collect(pending[i], CORDON_NEVER, &result);
        harness_expect(r, i < 5 ? CORDON_DONE : i == 5 ? CORDON_CRASHED : CORDON_ABORTED, &result);
    }
    struct cordon_pending *next = submit(session, absolute, -3);
    cordon_flush(session);
    struct cordon_result result;
    harness_expect(cordon_collect(next, CORDON_NEVER, &result), CORDON_DONE, &result);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"64_in_flight_are_collected_in_order", test_64_in_flight_are_collected_in_order,
         HARNESS_ALL_LEVELS, 0, 0},
        {"calls_are_collected_as_they_finish", test_calls_are_collected_as_they_finish,
         HARNESS_ALL_LEVELS, 0, 0},
        {"the_65th_call_must_wait", test_the_65th_call_must_wait, HARNESS_ALL_LEVELS, 0, 0},
        {"outputs_are_written_when_collected", test_outputs_are_written_when_collected,
         HARNESS_ALL_LEVELS, 0, 0},
        {"event_fd_tells_epoll_of_answers", test_event_fd_tells_epoll_of_answers,
         HARNESS_ALL_LEVELS, 0, 0},
        {"event_fd_tells_of_deadlines", test_event_fd_tells_of_deadlines, HARNESS_PROCESS, 0, 0},
        {"event_fd_tells_of_deadlines", test_event_fd_tells_of_deadlines, HARNESS_THREAD,
         HARNESS_ABANDONS | HARNESS_LEAVES_FDS /* the runaway threads' lanes */, 0},
        {"event_fd_is_quiet_when_nothing_is_in_flight",
         test_event_fd_is_quiet_when_nothing_is_in_flight, HARNESS_ALL_LEVELS, 0, 0},
        {"cells_without_events_have_no_event_fd", test_cells_without_events_have_no_event_fd,
         HARNESS_ALL_LEVELS, 0, 0},
        {"collect_gives_up_at_its_time", test_collect_gives_up_at_its_time,
         HARNESS_PROCESS | HARNESS_THREAD, 0, 0},
        {"a_crash_in_a_batch_ends_every_call_once", test_a_crash_in_a_batch_ends_every_call_once,
         HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
