/* SPDX-License-Identifier: Apache-2.0 */

/* Calls that are waited for only while that is spinning, and cells that end in two steps: for bindings with a lock of their own. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/harness.h"

/* As a binding does it: soon, else by waiting; a worker is started where none is ready. */
static int call(struct cordon_function *function, struct cordon_session *session,
                const struct cordon_value *args, size_t count, struct cordon_result *ret_result,
                uint32_t *ret_kept)
{
    struct cordon_pending *pending = NULL;
    int r = cordon_call_soon(function, session, args, count, CORDON_DEFAULT, &pending, ret_result);
    if (r == -ETIME) {
        *ret_kept += 1;
        r = cordon_collect(pending, CORDON_NEVER, ret_result);
    } else if (r == -ENOTCONN || r == -EBUSY) {
        r = cordon_call(function, args, count, CORDON_DEFAULT, ret_result);
    }
    return r;
}

static void test_every_call_has_its_answer_whenever_it_comes(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_function *compare =
        harness_bind(cell, "int memcmp(const uint8_t a[n], const uint8_t b[n], size_t n)");
    struct cordon_function *copy = harness_bind(
        cell, "symbol(\"memcpy\") void copy(out uint8_t to[n], const uint8_t from[n], size_t n)");
    struct cordon_function *nap = harness_bind(cell, "int usleep(unsigned microseconds)");
    struct cordon_result result;
    uint32_t kept = 0;
    for (int i = 0; i < 300; i++) {
        uint8_t bytes[100] = {(uint8_t)i, 2, 3};
        uint8_t other[100] = {(uint8_t)i, 2, 3};
        uint8_t copied[100] = {0};
        const struct cordon_value number[] = {cordon_int(-i)};
        const struct cordon_value arrays[] = {cordon_in(bytes, 100), cordon_in(other, 100)};
        const struct cordon_value places[] = {cordon_out(copied, 100), cordon_in(bytes, 100),
                                              cordon_uint(100)};
        const struct cordon_value microseconds[] = {cordon_uint(i % 30 == 0 ? 2000 : 0)};
        harness_expect(call(nap, NULL, microseconds, 1, &result, &kept), CORDON_DONE, &result);
        harness_expect(call(absolute, NULL, number, 1, &result, &kept), CORDON_DONE, &result);
        assert_int_equal(result.value.i, i);
        harness_expect(call(compare, NULL, arrays, 2, &result, &kept), CORDON_DONE, &result);
        assert_int_equal(result.value.i, 0);
        other[50] = 1;
        harness_expect(call(compare, NULL, arrays, 2, &result, &kept), CORDON_DONE, &result);
        assert_true(result.value.i < 0);
        harness_expect(call(copy, NULL, places, 3, &result, &kept), CORDON_DONE, &result);
        assert_memory_equal(copied, bytes, 100);
    }
    if (harness->level != CORDON_LEVEL_INLINE) {
        assert_in_range(kept, 9, 1500); /* at least those that slept */
    }
    cordon_cell_close(cell);
}

static bool sleeps(void *context)
{
    char path[64];
    char state = '?';
    (void)snprintf(path, sizeof path, "/proc/%d/stat", *(const int *)context);
    FILE *file = fopen(path, "re");
    bool read = file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    if (file) {
        (void)fclose(file);
    }
    return read && state == 'S';
}

/* SIGKILL while it waits for calls; nobody has noticed when this returns. */
static void kill_idle(struct cordon_session *session)
{
    int pid = cordon_session_worker_pid(session);
    assert_true(pid > 0);
    assert_true(harness_wait(sleeps, &pid, 5000));
    assert_int_equal(kill(pid, SIGKILL), 0);
}

static void test_an_idle_workers_death_is_made_good_when_it_is_collected(
    const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    struct cordon_result result;
    uint32_t kept = 0;
    for (int i = 1; i < 10; i++) {
        const struct cordon_value number[] = {cordon_int(-i)};
        harness_expect(call(absolute, NULL, number, 1, &result, &kept), CORDON_DONE, &result);
        kill_idle(cordon_session_current(cell));
        harness_expect(call(absolute, NULL, number, 1, &result, &kept), CORDON_DONE, &result);
        assert_int_equal(result.value.i, i);
    }
    cordon_cell_close(cell);
}

struct waiter {
    struct cordon_function *function;
    struct cordon_pending *pending;
    int outcome;
};

static void *wait_long(void *context)
{
    struct waiter *waiter = context;
    struct cordon_result result;
    waiter->outcome = cordon_collect(waiter->pending, CORDON_NEVER, &result);
    return NULL;
}

static void test_a_cell_is_stopped_first_and_freed_when_nobody_is_in_it(
    const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct waiter waiter = {.function = harness_bind(cell, "unsigned sleep(unsigned seconds)")};
    struct cordon_value seconds = cordon_uint(0);
    struct cordon_result result;
    struct cordon_pending *again = NULL;
    pthread_t thread;
    harness_expect(cordon_call(waiter.function, &seconds, 1, CORDON_DEFAULT, &result), CORDON_DONE,
                   &result);
    seconds = cordon_uint(60);
    assert_int_equal(cordon_call_soon(waiter.function, NULL, &seconds, 1, CORDON_NEVER,
                                      &waiter.pending, &result),
                     -ETIME);
    assert_int_equal(
        cordon_call_soon(waiter.function, NULL, &seconds, 1, CORDON_NEVER, &again, &result),
        -EBUSY);
    assert_int_equal(pthread_create(&thread, NULL, wait_long, &waiter), 0);
    assert_int_equal(cordon_cell_stop(cell), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waiter.outcome, CORDON_ABORTED);
    assert_int_equal(
        cordon_call_soon(waiter.function, NULL, &seconds, 1, CORDON_NEVER, &again, &result),
        -ESHUTDOWN);
    assert_int_equal(cordon_cell_stop(cell), 0);
    assert_int_equal(cordon_cell_close(cell), 0);
}

static int look(void *context)
{
    uint32_t *looks = context;
    return ++*looks >= 3;
}

/* Another thread is in the session: it holds it while it waits. */
struct occupied {
    struct cordon_cell *cell;
    struct cordon_session *session;
    struct cordon_function *absolute;
    struct waiter waiter;
    pthread_t thread;
};

static void occupy(struct occupied *occupied, const struct harness *harness)
{
    struct cordon_value microseconds = cordon_uint(400000);
    struct cordon_result result;
    struct cordon_error error;
    uint32_t retry_ms;
    *occupied = (struct occupied){.cell = harness_open(harness, "", NULL)};
    occupied->session = harness_session(occupied->cell);
    occupied->absolute = harness_bind(occupied->cell, "int abs(int j)");
    struct waiter *waiter = &occupied->waiter;
    waiter->function = harness_bind(occupied->cell, "int usleep(unsigned microseconds)");
    struct cordon_function *functions[] = {waiter->function, occupied->absolute};
    assert_int_equal(cordon_session_prepare(occupied->session, functions, 2, &retry_ms, &error), 0);
    assert_int_equal(cordon_call_soon(waiter->function, occupied->session, &microseconds, 1,
                                      CORDON_NEVER, &waiter->pending, &result),
                     -ETIME);
    assert_int_equal(pthread_create(&occupied->thread, NULL, wait_long, waiter), 0);
}

static void await_nap(struct occupied *occupied)
{
    assert_int_equal(pthread_join(occupied->thread, NULL), 0);
    assert_int_equal(occupied->waiter.outcome, CORDON_DONE);
}

static void leave(const struct occupied *occupied)
{
    cordon_session_close(occupied->session);
    cordon_cell_close(occupied->cell);
}

static void test_a_call_takes_its_turn_behind_another_threads(const struct harness *harness)
{
    struct occupied at;
    struct cordon_value number = cordon_int(-7);
    struct cordon_pending *pending = NULL;
    struct cordon_result result;
    occupy(&at, harness);
    int r = cordon_call_turn(at.absolute, at.session, &number, 1, CORDON_NEVER, &pending, &result);
    r = r == -ETIME ? cordon_collect(pending, CORDON_NEVER, &result) : r;
    harness_expect(r, CORDON_DONE, &result);
    assert_int_equal(result.value.i, 7);
    await_nap(&at);
    leave(&at);
}

static void test_who_waits_for_another_thread_may_stop(const struct harness *harness)
{
    struct occupied at;
    struct cordon_value number = cordon_int(-7);
    struct cordon_pending *pending = NULL;
    struct cordon_result result;
    uint32_t looks = 0;
    occupy(&at, harness);
    assert_int_equal(
        cordon_call_soon(at.absolute, at.session, &number, 1, CORDON_NEVER, &pending, &result),
        -EBUSY);
    cordon_on_wait(look, &looks);
    int r = cordon_session_call(at.session, at.absolute, &number, 1, CORDON_NEVER, &result);
    cordon_on_wait(NULL, NULL);
    /* Unless the other thread has not begun to wait: then the call was made behind its nap. */
    if (r == -EINTR) {
        assert_int_equal(looks, 3);
        assert_non_null(strstr(result.error.text, "interrupted"));
    } else {
        harness_expect(r, CORDON_DONE, &result);
    }
    await_nap(&at);
    harness_expect(cordon_session_call(at.session, at.absolute, &number, 1, CORDON_NEVER, &result),
                   CORDON_DONE, &result);
    leave(&at);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"every_call_has_its_answer_whenever_it_comes",
         test_every_call_has_its_answer_whenever_it_comes, HARNESS_ALL_LEVELS, 0, 0},
        {"an_idle_workers_death_is_made_good_when_it_is_collected",
         test_an_idle_workers_death_is_made_good_when_it_is_collected, HARNESS_PROCESS, 0, 0},
        {"a_cell_is_stopped_first_and_freed_when_nobody_is_in_it",
         test_a_cell_is_stopped_first_and_freed_when_nobody_is_in_it, HARNESS_PROCESS, 0, 0},
        {"a_call_takes_its_turn_behind_another_threads",
         test_a_call_takes_its_turn_behind_another_threads, HARNESS_PROCESS, 0, 0},
        {"who_waits_for_another_thread_may_stop", test_who_waits_for_another_thread_may_stop,
         HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
