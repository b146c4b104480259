/* SPDX-License-Identifier: Apache-2.0 */

/* Callbacks that come on a library's own threads wait for cordon_session_dispatch(). */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "harness/harness.h"

#define TICK                                                                                       \
    "kept anythread int (*callback)(void *context, const char *text, int n) fails(-1), "           \
    "void *context"

static const char interface_text[] =
    "int ticker_start(" TICK ", int times);\n"
    "symbol(\"ticker_start\") int start_undeclared("
    "kept int (*callback)(void *context, const char *text, int n) fails(-1), void *context, "
    "int times);\n"
    "int ticker_crowd(" TICK ", int threads);\n"
    "int ticker_wait(int answer);\n"
    "int ticker_join(void);\n"
    "int ticker_call(" TICK ");\n";

struct ticks {
    struct cordon_cell *cell;
    struct cordon_session *session;
    struct cordon_callback *callback;
    pthread_t thread; /* of the host */
    int count;
    int fail_at;
    bool calls_back;
    int dispatched_inside;
};

static int on_tick(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    struct ticks *ticks = context;
    assert_int_equal(count, 3);
    assert_true(pthread_equal(ticks->thread, pthread_self()));
    assert_ptr_equal(session, ticks->session);
    assert_int_equal(args[0].u, 77);
    assert_string_equal(args[1].memory, args[2].i == 100 ? "call" : "tick");
    ticks->count++;
    if (ticks->calls_back) {
        struct cordon_value again[] = {cordon_function_pointer(ticks->callback), cordon_uint(77)};
        ticks->calls_back = false;
        assert_int_equal(
            harness_value(session, harness_bind(ticks->cell, "ticker_call"), again, 2).i, 200);
        ticks->dispatched_inside = cordon_session_dispatch(session, 0, NULL, NULL);
    }
    *ret_value = cordon_int(args[2].i * 2);
    return ticks->count == ticks->fail_at ? -EIO : 0;
}

static void open_ticks(const struct harness *harness, struct ticks *ticks)
{
    const char *library = getenv("CORDON_TEST_TICKER");
    if (!library) {
        harness_skip("CORDON_TEST_TICKER names no library");
    }
    struct cordon_cell_options options = harness_options(harness);
    options.library = library;
    options.interface_text = interface_text;
    options.events = true;
    options.deadline_ms = 10000;
    *ticks = (struct ticks){.cell = harness_open_with(&options), .thread = pthread_self()};
    ticks->session = harness_session(ticks->cell);
    assert_int_equal(cordon_callback_new(on_tick, ticks, &ticks->callback), 0);
}

static void close_ticks(struct ticks *ticks)
{
    cordon_session_close(ticks->session);
    cordon_cell_close(ticks->cell);
    cordon_callback_free(ticks->callback);
}

static void start(struct ticks *ticks, const char *function, int times)
{
    struct cordon_value args[] = {cordon_function_pointer(ticks->callback), cordon_uint(77),
                                  cordon_int(times)};
    assert_int_equal(harness_value(ticks->session, harness_bind(ticks->cell, function), args, 3).i,
                     0);
}

static int64_t join(struct ticks *ticks)
{
    return harness_value(ticks->session, harness_bind(ticks->cell, "ticker_join"), NULL, 0).i;
}

static uint32_t dispatch(struct ticks *ticks, uint64_t until_ns)
{
    struct cordon_error error = {{0}};
    uint32_t count = 99;
    int r = cordon_session_dispatch(ticks->session, until_ns, &count, &error);
    if (r != 0) {
        fail_msg("dispatch: %d: %s", r, error.text);
    }
    return count;
}

static void test_they_run_on_the_dispatching_thread(const struct harness *harness)
{
    struct ticks ticks;
    open_ticks(harness, &ticks);
    start(&ticks, "ticker_start", 20);
    uint64_t until_ns = clock_after_ns(5 * CLOCK_SECOND_NS);
    while (ticks.count < 20 && clock_now_ns() < until_ns) {
        (void)dispatch(&ticks, until_ns);
    }
    assert_int_equal(ticks.count, 20);
    assert_int_equal(join(&ticks), 2 * 210);
    assert_int_equal(dispatch(&ticks, 0), 0);
    uint64_t begin_ns = clock_now_ns();
    assert_int_equal(dispatch(&ticks, cordon_after_ms(50)), 0);
    assert_in_range((clock_now_ns() - begin_ns) / CLOCK_MS_NS, 49, 2000);
    close_ticks(&ticks);
}

static void test_event_fd_tells_of_them(const struct harness *harness)
{
    struct ticks ticks;
    open_ticks(harness, &ticks);
    struct pollfd event = {.fd = cordon_session_event_fd(ticks.session), .events = POLLIN};
    start(&ticks, "ticker_start", 3);
    while (ticks.count < 3) {
        assert_int_equal(poll(&event, 1, 2000), 1);
        (void)dispatch(&ticks, 0);
    }
    assert_int_equal(join(&ticks), 12);
    close_ticks(&ticks);
}

static void test_they_may_call_back_into_the_cell(const struct harness *harness)
{
    struct ticks ticks;
    open_ticks(harness, &ticks);
    ticks.calls_back = true;
    start(&ticks, "ticker_start", 1);
    assert_int_equal(dispatch(&ticks, cordon_after_ms(5000)), 1);
    assert_int_equal(ticks.count, 2);
    assert_int_equal(ticks.dispatched_inside, -EDEADLK);
    assert_int_equal(join(&ticks), 2);
    close_ticks(&ticks);
}

static void test_a_failure_is_told_by_dispatch(const struct harness *harness)
{
    struct ticks ticks;
    open_ticks(harness, &ticks);
    ticks.fail_at = 1;
    start(&ticks, "ticker_start", 1);
    uint32_t count = 0;
    struct cordon_error error = {{0}};
    assert_int_equal(cordon_session_dispatch(ticks.session, cordon_after_ms(5000), &count, &error),
                     -EIO);
    assert_non_null(strstr(error.text, "callback"));
    assert_int_equal(join(&ticks), -1);
    close_ticks(&ticks);
}

/* LIMIT_QUEUED_MS: the thread goes on with the failure value. */
static void test_nobody_dispatches(const struct harness *harness)
{
    struct ticks ticks;
    open_ticks(harness, &ticks);
    start(&ticks, "ticker_start", 1);
    uint64_t begin_ns = clock_now_ns();
    assert_int_equal(join(&ticks), -1);
    assert_in_range((clock_now_ns() - begin_ns) / CLOCK_MS_NS, LIMIT_QUEUED_MS - 100,
                    LIMIT_QUEUED_MS + 2000);
    assert_int_equal(ticks.count, 0);
    struct cordon_error error = {{0}};
    uint32_t count = 9;
    assert_int_equal(cordon_session_dispatch(ticks.session, 0, &count, &error), -ETIMEDOUT);
    assert_non_null(strstr(error.text, "LIMIT_QUEUED_MS"));
    assert_int_equal(dispatch(&ticks, 0), 0);
    close_ticks(&ticks);
}

static uint32_t threads_here(void)
{
    uint32_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while (readdir(tasks)) {
        count++;
    }
    (void)closedir(tasks);
    return count;
}

/* The threads of two workers (the cell's, the session's) and the library's are there, and wait. */
static bool all_wait(void *context)
{
    const uint32_t *threads = context;
    uint32_t waiting = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *task = readdir(tasks); task; task = readdir(tasks)) {
        int thread = atoi(task->d_name);
        waiting += thread > 0 && harness_thread_waits(thread);
    }
    (void)closedir(tasks);
    return waiting == 3 && threads_here() == *threads + 3;
}

static bool library_is_quiet(void *context)
{
    const uint32_t *threads = context;
    return threads_here() <= *threads;
}

/* At level thread the library's thread is one of this process, and goes on. */
static void test_threads_of_the_library_outlive_the_session(const struct harness *harness)
{
    struct ticks ticks;
    uint32_t threads = threads_here();
    for (int i = 0; i < 10; i++) {
        open_ticks(harness, &ticks);
        start(&ticks, "ticker_start", 90);
        assert_true(harness_wait(all_wait, &threads, 10000));
        /* With one callback that waits; the others come when nobody is there. */
        close_ticks(&ticks);
        assert_int_equal(ticks.count, 0);
        assert_true(harness_wait(library_is_quiet, &threads, 10000));
    }
}

/* LIMIT_QUEUED_CALLBACKS: one more is turned away, the others are answered. */
static void test_more_wait_than_may(const struct harness *harness)
{
    struct ticks ticks;
    open_ticks(harness, &ticks);
    start(&ticks, "ticker_crowd", LIMIT_QUEUED_CALLBACKS + 1);
    struct cordon_value none = cordon_int(-1);
    assert_int_equal(
        harness_value(ticks.session, harness_bind(ticks.cell, "ticker_wait"), &none, 1).i, 1);
    struct cordon_error error = {{0}};
    uint32_t count = 0;
    assert_int_equal(cordon_session_dispatch(ticks.session, 0, &count, &error), -E2BIG);
    assert_non_null(strstr(error.text, "LIMIT_QUEUED_CALLBACKS"));
    while (ticks.count < (int)LIMIT_QUEUED_CALLBACKS) {
        assert_true(dispatch(&ticks, cordon_after_ms(5000)) > 0);
    }
    struct cordon_value all = cordon_int(LIMIT_QUEUED_CALLBACKS);
    assert_int_equal(
        harness_value(ticks.session, harness_bind(ticks.cell, "ticker_wait"), &all, 1).i, 1);
    close_ticks(&ticks);
}

static void test_undeclared_ones_end_the_worker(const struct harness *harness)
{
    struct ticks ticks;
    open_ticks(harness, &ticks);
    struct cordon_value args[] = {cordon_function_pointer(ticks.callback), cordon_uint(77),
                                  cordon_int(1)};
    struct cordon_function *call = harness_bind(ticks.cell, "start_undeclared");
    struct cordon_result result;
    /* The library's thread may end the worker before the call that made the thread has returned. */
    int r = cordon_session_call(ticks.session, call, args, 3, CORDON_DEFAULT, &result);
    if (r == CORDON_DONE) {
        call = harness_bind(ticks.cell, "ticker_join");
        r = cordon_session_call(ticks.session, call, NULL, 0, CORDON_DEFAULT, &result);
    }
    assert_true(r == CORDON_CRASHED || r == CORDON_ABORTED || r == CORDON_DONE);
    assert_int_equal(ticks.count, 0);
    struct cordon_cell_stats stats;
    cordon_cell_stats(ticks.cell, &stats);
    assert_true(r != CORDON_DONE || stats.started > 1);
    close_ticks(&ticks);
}

static void test_prototypes_that_cannot_be_dispatched(const struct harness *harness)
{
    static const struct {
        const char *prototype;
        const char *says;
    } wrong[] = {
        {"int abs(anythread int (*f)(int) fails(0))", "kept"},
        {"int abs(kept anythread int (*f)(int))", "fails"},
        {"int abs(anythread int f)", "anythread"},
        {"int abs(anythread const char *f)", "anythread"},
    };
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    for (size_t i = 0; i < HARNESS_COUNT(wrong); i++) {
        struct cordon_function *function = NULL;
        struct cordon_error error = {{0}};
        assert_true(cordon_bind(cell, wrong[i].prototype, 0, &function, &error) < 0);
        if (!strstr(error.text, wrong[i].says)) {
            fail_msg("%s", error.text);
        }
    }
    (void)harness_bind(cell, "int abs(kept anythread void (*f)(int))");
    cordon_cell_close(cell);
}

static void test_a_session_without_worker_has_none(const struct harness *harness)
{
    struct ticks ticks;
    open_ticks(harness, &ticks);
    struct cordon_value arg = cordon_int(11);
    struct cordon_result result;
    int r = cordon_session_call(ticks.session, harness_bind(ticks.cell, "int raise(int sig)"), &arg,
                                1, CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_CRASHED, &result);
    uint32_t count = 9;
    struct cordon_error error = {{0}};
    assert_int_equal(cordon_session_dispatch(ticks.session, cordon_after_ms(100), &count, &error),
                     CORDON_ABORTED);
    assert_int_equal(count, 0);
    assert_string_not_equal(error.text, "");
    close_ticks(&ticks);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"they_run_on_the_dispatching_thread", test_they_run_on_the_dispatching_thread,
         HARNESS_ALL_LEVELS, 0, 0},
        {"event_fd_tells_of_them", test_event_fd_tells_of_them, HARNESS_ALL_LEVELS, 0, 0},
        {"they_may_call_back_into_the_cell", test_they_may_call_back_into_the_cell,
         HARNESS_ALL_LEVELS, 0, 0},
        {"a_failure_is_told_by_dispatch", test_a_failure_is_told_by_dispatch, HARNESS_ALL_LEVELS, 0,
         0},
        {"threads_of_the_library_outlive_the_session",
         test_threads_of_the_library_outlive_the_session, HARNESS_THREAD, HARNESS_ABANDONS, 0},
        {"nobody_dispatches", test_nobody_dispatches, HARNESS_ALL_LEVELS, 0, 0},
        {"more_wait_than_may", test_more_wait_than_may, HARNESS_ALL_LEVELS, 0, 0},
        {"undeclared_ones_end_the_worker", test_undeclared_ones_end_the_worker, HARNESS_PROCESS, 0,
         0},
        {"prototypes_that_cannot_be_dispatched", test_prototypes_that_cannot_be_dispatched,
         HARNESS_PROCESS, 0, 0},
        {"a_session_without_worker_has_none", test_a_session_without_worker_has_none,
         HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
