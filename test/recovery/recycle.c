/* SPDX-License-Identifier: Apache-2.0 */

/* Workers are replaced after calls, time or memory; never while they hold something, never losing a call. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "recovery/subject.h"

static void pause_ms(uint32_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&time, NULL);
}

static void open_recycled(const struct harness *harness, struct subject *subject, uint64_t calls)
{
    struct cordon_cell_options options = subject_options(harness, subject);
    options.recycle_calls = calls;
    subject_open(subject, &options);
}

static void test_after_calls(const struct harness *harness)
{
    struct subject subject;
    open_recycled(harness, &subject, 100);
    struct cordon_function *remember = harness_bind(subject.cell, "remember");
    uint32_t fresh = 0;
    for (int i = 1; i <= 1000; i++) {
        struct cordon_value arg = cordon_int(i);
        int64_t before = harness_value(NULL, remember, &arg, 1).i;
        assert_true(before == i - 1 || before == 0);
        fresh += before == 0;
        if (i % 100 == 50) {
            subject_await_spares(&subject, 1);
        }
    }
    struct cordon_cell_stats stats = subject_stats(&subject);
    assert_in_range(fresh, 9, 11);
    assert_int_equal(stats.recycled, fresh - 1);
    assert_int_equal(stats.promoted, stats.recycled);
    assert_int_equal(stats.ended[CORDON_DONE], stats.calls);
    assert_int_equal(stats.crashes, 0);
    assert_int_equal(stats.workers, 1);
    subject_close(&subject);
}

static void test_after_time(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.recycle_ms = 300;
    subject_open(&subject, &options);
    (void)subject_call(&subject, "remember", 3);
    assert_int_equal(subject_call(&subject, "recall", 0), 3);
    uint64_t until_ns = clock_after_ns(10 * CLOCK_SECOND_NS);
    while (subject_call(&subject, "recall", 0) == 3 && clock_now_ns() < until_ns) {
        pause_ms(20);
    }
    assert_int_equal(subject_call(&subject, "recall", 0), 0);
    struct cordon_cell_stats stats = subject_stats(&subject);
    assert_int_equal(stats.recycled, 1);
    assert_int_equal(stats.ended[CORDON_DONE], stats.calls);
    subject_close(&subject);
}

static void test_after_memory(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.recycle_bytes = 96u << 20; /* ThreadSanitizer takes five bytes for one */
    subject_open(&subject, &options);
    (void)subject_call(&subject, "remember", 3);
    assert_int_equal(subject_call(&subject, "grow", 8), 1);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(subject_call(&subject, "recall", 0), 3); /* too little */
        pause_ms(5);
    }
    assert_int_equal(subject_stats(&subject).recycled, 0);
    assert_int_equal(subject_call(&subject, "grow", 112), 1);
    uint64_t until_ns = clock_after_ns(10 * CLOCK_SECOND_NS);
    while (subject_call(&subject, "recall", 0) == 3 && clock_now_ns() < until_ns) {
        pause_ms(10);
    }
    assert_int_equal(subject_call(&subject, "recall", 0), 0);
    assert_int_equal(subject_stats(&subject).recycled, 1);
    subject_close(&subject);
}

static void test_not_while_a_handle_lives(const struct harness *harness)
{
    struct subject subject;
    open_recycled(harness, &subject, 10);
    struct cordon_function *value_of = harness_bind(subject.cell, "thing_value");
    struct cordon_value seven = cordon_int(7);
    struct cordon_value thing =
        harness_value(NULL, harness_bind(subject.cell, "thing_new"), &seven, 1);
    thing = cordon_object(thing.handle);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(harness_value(NULL, value_of, &thing, 1).i, 7);
    }
    assert_int_equal(subject_stats(&subject).recycled, 0);
    (void)harness_value(NULL, harness_bind(subject.cell, "thing_free"), &thing, 1);
    for (int i = 0; i < 600; i++) {
        (void)subject_call(&subject, "recall", 0);
    }
    assert_in_range(subject_stats(&subject).recycled, 1, 600);
    struct cordon_result result;
    harness_expect(cordon_call(value_of, &thing, 1, CORDON_DEFAULT, &result), CORDON_STALE,
                   &result);
    subject_close(&subject);
}

static void test_not_while_a_callback_is_kept(const struct harness *harness)
{
    struct subject subject;
    open_recycled(harness, &subject, 10);
    struct cordon_callback *callback = subject_callback();
    struct cordon_value arg = cordon_function_pointer(callback);
    (void)subject_call(&subject, "remember", 3);
    (void)harness_call(NULL, harness_bind(subject.cell, "keep"), &arg, 1);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(subject_call(&subject, "recall", 0), 3);
    }
    assert_int_equal(subject_stats(&subject).recycled, 0);
    cordon_callback_free(callback);
    subject_close(&subject);
}

/* What the on_start calls made postpones nothing. */
static void test_what_on_start_made_postpones_nothing(const struct harness *harness)
{
    struct subject subject;
    open_recycled(harness, &subject, 10);
    struct cordon_error error = {{0}};
    struct cordon_value seven = cordon_int(7);
    int r = cordon_cell_on_start(subject.cell, harness_bind(subject.cell, "thing_new"), &seven, 1,
                                 &error);
    assert_int_equal(r, 0);
    struct cordon_result result;
    r = subject_try(&subject, "crash", SIGSEGV, &result);
    harness_expect(r, CORDON_CRASHED, &result);
    for (int i = 0; i < 600; i++) {
        (void)subject_call(&subject, "recall", 0);
    }
    assert_in_range(subject_stats(&subject).recycled, 2, 600);
    subject_close(&subject);
}

/* ---- Exactly so many calls --------------------------------------------------------------------- */

#define EXACT_MOST    8u
#define EXACT_WORKERS 3u

/* Ask once more: how many calls this worker has served, this one included. */
typedef int64_t ask(const struct subject *subject);

static int64_t served_value(int outcome, const struct cordon_result *result)
{
    harness_expect(outcome, CORDON_DONE, result);
    return result->value.i;
}

static int64_t ask_plainly(const struct subject *subject)
{
    return subject_call(subject, "served", 0);
}

static int64_t ask_with_text(const struct subject *subject)
{
    struct cordon_value text = cordon_string("words");
    return harness_value(subject->session, harness_bind(subject->cell, "served_text"), &text, 1).i;
}

static int64_t ask_submitted(const struct subject *subject)
{
    struct cordon_pending *pending;
    struct cordon_result result;
    struct cordon_value arg = cordon_int(0);
    assert_int_equal(cordon_submit(subject->session, harness_bind(subject->cell, "served"), &arg, 1,
                                   CORDON_DEFAULT, &pending, NULL),
                     0);
    return served_value(cordon_collect(pending, CORDON_NEVER, &result), &result);
}

static void prepare(const struct subject *subject, struct cordon_function *function)
{
    struct cordon_error error = {{0}};
    if (cordon_session_prepare(subject->session, &function, 1, NULL, &error) != 0) {
        fail_msg("%s", error.text);
    }
}

static int64_t ask_prepared(const struct subject *subject)
{
    struct cordon_function *function = harness_bind(subject->cell, "served");
    struct cordon_pending *pending;
    struct cordon_result result;
    struct cordon_value arg = cordon_int(0);
    int r;
    while ((r = cordon_submit_ready(subject->session, function, &arg, 1, CORDON_DEFAULT, &pending,
                                    &result)) == -ENOTCONN) {
        prepare(subject, function);
    }
    assert_int_equal(r, 0);
    return served_value(cordon_collect(pending, CORDON_NEVER, &result), &result);
}

static int64_t ask_soon(const struct subject *subject)
{
    struct cordon_function *function = harness_bind(subject->cell, "served");
    struct cordon_pending *pending;
    struct cordon_result result;
    struct cordon_value arg = cordon_int(0);
    int r;
    while ((r = cordon_call_soon(function, subject->session, &arg, 1, CORDON_DEFAULT, &pending,
                                 &result)) == -ENOTCONN) {
        prepare(subject, function);
    }
    return served_value(r == -ETIME ? cordon_collect(pending, CORDON_NEVER, &result) : r, &result);
}

/* A call that is refused before it is sent is none of the worker's. */
static int64_t ask_after_a_refusal(const struct subject *subject)
{
    struct cordon_result result;
    struct cordon_value text = cordon_string("no number");
    struct cordon_function *function = harness_bind(subject->cell, "served");
    int r = cordon_session_call(subject->session, function, &text, 1, CORDON_DEFAULT, &result);
    assert_int_equal(r, -EINVAL);
    return ask_plainly(subject);
}

static void expect_exact(const struct subject *subject, ask *asks, uint64_t calls, uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds * calls; i++) {
        int64_t served = asks(subject);
        if (served != (int64_t)(i % calls) + 1) {
            fail_msg("recycle_calls %u: call %u is its worker's call %d", (unsigned)calls,
                     (unsigned)i + 1, (int)served);
        }
    }
}

/* Each number of calls; or one in three, where the way is much the same. */
static void expect_exact_each(const struct harness *harness, ask *asks, uint64_t step)
{
    for (uint64_t calls = 1; calls <= EXACT_MOST; calls += step) {
        struct subject subject;
        open_recycled(harness, &subject, calls);
        expect_exact(&subject, asks, calls, 3);
        assert_int_equal(subject_stats(&subject).recycled, 2);
        subject_close(&subject);
    }
}

static void test_exactly_plain_calls(const struct harness *harness)
{
    expect_exact_each(harness, ask_plainly, 1);
    expect_exact_each(harness, ask_with_text, 3);
}

static void test_exactly_submitted_calls(const struct harness *harness)
{
    expect_exact_each(harness, ask_submitted, 1);
    expect_exact_each(harness, ask_soon, 3);
}

static void test_exactly_prepared_calls(const struct harness *harness)
{
    expect_exact_each(harness, ask_prepared, 1);
    expect_exact_each(harness, ask_after_a_refusal, 3);
}

/* on_start calls are none of those that a worker serves; here they are counted by the library. */
static void test_exactly_beside_on_start_calls(const struct harness *harness)
{
    for (uint64_t calls = 1; calls <= EXACT_MOST; calls += 3) {
        struct subject subject;
        struct cordon_value arg = cordon_int(0);
        open_recycled(harness, &subject, calls);
        assert_int_equal(
            cordon_cell_on_start(subject.cell, harness_bind(subject.cell, "served"), &arg, 1, NULL),
            0);
        for (uint64_t i = 0; i < 3 * calls; i++) {
            assert_int_equal(ask_plainly(&subject), i % calls + 2);
        }
        subject_close(&subject);
    }
}

struct exact_thread {
    struct subject subject; /* with the session of its own, or NULL */
    uint64_t calls;
};

static void *ask_in_a_thread(void *context)
{
    const struct exact_thread *thread = context;
    struct cordon_function *function = harness_bind(thread->subject.cell, "served");
    for (uint64_t i = 0; i < 3 * thread->calls; i++) {
        struct cordon_value arg = cordon_int(0);
        struct cordon_result result = harness_call(thread->subject.session, function, &arg, 1);
        assert_int_equal(result.value.i, i % thread->calls + 1);
    }
    return NULL;
}

static void exact_in_threads(const struct harness *harness, uint64_t calls, bool has_sessions)
{
    struct subject subject;
    struct exact_thread threads[EXACT_WORKERS];
    pthread_t ids[EXACT_WORKERS];
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.recycle_calls = calls;
    options.workers = EXACT_WORKERS;
    subject_open(&subject, &options);
    for (uint32_t i = 0; i < EXACT_WORKERS; i++) {
        threads[i] = (struct exact_thread){.subject = subject, .calls = calls};
        threads[i].subject.session = has_sessions ? harness_session(subject.cell) : NULL;
        assert_int_equal(pthread_create(&ids[i], NULL, ask_in_a_thread, &threads[i]), 0);
    }
    for (uint32_t i = 0; i < EXACT_WORKERS; i++) {
        assert_int_equal(pthread_join(ids[i], NULL), 0);
    }
    assert_int_equal(subject_stats(&subject).recycled, 2 * EXACT_WORKERS);
    for (uint32_t i = 0; has_sessions && i < EXACT_WORKERS; i++) {
        (void)cordon_session_close(threads[i].subject.session);
    }
    subject_close(&subject);
}

static void test_exactly_in_several_workers(const struct harness *harness)
{
    exact_in_threads(harness, 1, false);
    exact_in_threads(harness, 4, false);
    exact_in_threads(harness, 3, true);
    exact_in_threads(harness, 8, true);
}

#define BATCH       16u
#define BATCH_CALLS 50u /* recycle_calls: all of them are served at the end of the fourth batch */
#define BATCH_MOST  (4u * BATCH)

/* What the workers of a session were, by their answers: a fresh one remembers nothing. */
struct served {
    uint32_t by_this; /* calls of the present worker */
    uint32_t replaced;
};

static void count_served(struct served *served, int64_t remembered)
{
    if (remembered == 0 && served->by_this > 0) {
        assert_int_equal(served->by_this, BATCH_MOST);
        served->replaced++;
        served->by_this = 0;
    }
    served->by_this++;
}

static void collect_batch(struct cordon_pending *const *pending, struct served *served)
{
    struct cordon_result result;
    for (uint32_t i = 0; i < BATCH; i++) {
        harness_expect(cordon_collect(pending[i], CORDON_NEVER, &result), CORDON_DONE, &result);
        count_served(served, result.value.i);
    }
}

static void test_batches_lose_nothing(const struct harness *harness)
{
    struct subject subject;
    struct served served = {0};
    open_recycled(harness, &subject, BATCH_CALLS);
    struct cordon_function *remember = harness_bind(subject.cell, "remember");
    for (int round = 1; round <= 40; round++) {
        struct cordon_pending *pending[BATCH];
        struct cordon_error error = {{0}};
        struct cordon_value arg = cordon_int(round);
        for (uint32_t i = 0; i < BATCH; i++) {
            int r = cordon_submit(subject.session, remember, &arg, 1, CORDON_DEFAULT, &pending[i],
                                  &error);
            assert_int_equal(r, 0);
        }
        cordon_flush(subject.session);
        collect_batch(pending, &served);
    }
    assert_int_equal(served.by_this, BATCH_MOST);
    struct cordon_cell_stats stats = subject_stats(&subject);
    assert_int_equal(stats.recycled, served.replaced);
    assert_int_equal(stats.ended[CORDON_DONE], stats.calls);
    assert_int_equal(stats.calls, 40 * BATCH);
    subject_close(&subject);
}

/* A session that rests has no worker; its next call has a fresh one. */
static void test_a_session_rests(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    struct cordon_pending *pending;
    struct cordon_result result;
    options.spares = CORDON_NONE;
    subject_open(&subject, &options);
    (void)subject_call(&subject, "remember", 3);
    assert_int_equal(cordon_submit(subject.session, harness_bind(subject.cell, "recall"), NULL, 0,
                                   CORDON_DEFAULT, &pending, NULL),
                     0);
    assert_int_equal(cordon_session_rest(subject.session), -EBUSY);
    assert_int_equal(cordon_collect(pending, CORDON_NEVER, &result), CORDON_DONE);
    assert_int_equal(result.value.i, 3);
    assert_int_equal(subject_stats(&subject).workers, 1);
    assert_int_equal(cordon_session_rest(subject.session), 0);
    assert_int_equal(subject_stats(&subject).workers, 0);
    assert_int_equal(cordon_session_rest(subject.session), 0);
    assert_int_equal(subject_call(&subject, "recall", 0), 0);
    struct cordon_cell_stats stats = subject_stats(&subject);
    assert_int_equal(stats.workers, 1);
    assert_int_equal(stats.crashes, 0);
    subject_close(&subject);
}

static void *interrupt_soon(void *context)
{
    const struct subject *subject = context;
    while (subject_stats(subject).calls < 2) {
        pause_ms(1);
    }
    pause_ms(20); /* any time will do: before it begins, while it runs */
    assert_int_equal(cordon_session_interrupt(subject->session), 0);
    return NULL;
}

/* Another thread ends a call that never would; the next one has a fresh worker. */
static void test_a_session_is_interrupted(const struct harness *harness)
{
    struct subject subject;
    struct cordon_cell_options options = subject_options(harness, &subject);
    struct cordon_result result;
    pthread_t thread;
    subject_open(&subject, &options);
    (void)subject_call(&subject, "remember", 3);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &subject), 0);
    struct cordon_value arg = cordon_int(60);
    int r = cordon_session_call(subject.session,
                                harness_bind(subject.cell, "unsigned sleep(unsigned n)"), &arg, 1,
                                CORDON_NEVER, &result);
    assert_int_equal(r, CORDON_ABORTED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(subject_call(&subject, "recall", 0), 0);
    subject_close(&subject);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"after_calls", test_after_calls, HARNESS_PROCESS, 0, 0},
        {"after_time", test_after_time, HARNESS_PROCESS, 0, 0},
        {"after_memory", test_after_memory, HARNESS_PROCESS, 0, 0},
        {"not_while_a_handle_lives", test_not_while_a_handle_lives, HARNESS_PROCESS, 0, 0},
        {"not_while_a_callback_is_kept", test_not_while_a_callback_is_kept, HARNESS_PROCESS, 0, 0},
        {"what_on_start_made_postpones_nothing", test_what_on_start_made_postpones_nothing,
         HARNESS_PROCESS, 0, 0},
        {"exactly_plain_calls", test_exactly_plain_calls, HARNESS_PROCESS, 0, 120},
        {"exactly_submitted_calls", test_exactly_submitted_calls, HARNESS_PROCESS, 0, 120},
        {"exactly_prepared_calls", test_exactly_prepared_calls, HARNESS_PROCESS, 0, 120},
        {"exactly_beside_on_start_calls", test_exactly_beside_on_start_calls, HARNESS_PROCESS, 0,
         120},
        {"exactly_in_several_workers", test_exactly_in_several_workers, HARNESS_PROCESS, 0, 120},
        {"batches_lose_nothing", test_batches_lose_nothing, HARNESS_PROCESS, 0, 0},
        {"a_session_is_interrupted", test_a_session_is_interrupted, HARNESS_PROCESS, 0, 0},
        {"a_session_rests", test_a_session_rests, HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
