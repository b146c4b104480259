/* SPDX-License-Identifier: Apache-2.0 */

/* Callers that wait for a worker: in order, not too many, not beyond their deadline. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "recovery/subject.h"

struct caller {
    const struct subject *subject;
    struct cordon_function *function;
    int value;
    uint32_t patience_ms;
    pthread_t thread;
    int outcome;
    uint64_t took_ns;
    struct cordon_result result;
};

static void *call(void *context)
{
    struct caller *caller = context;
    struct cordon_value arg = cordon_int(caller->value);
    uint64_t begin_ns = clock_now_ns();
    caller->outcome = cordon_call(caller->function, &arg, 1, cordon_after_ms(caller->patience_ms),
                                  &caller->result);
    caller->took_ns = clock_now_ns() - begin_ns;
    return NULL;
}

static void start(struct caller *caller, const struct subject *subject,
                  struct cordon_function *function, int value, uint32_t patience_ms)
{
    *caller = (struct caller){
        .subject = subject, .function = function, .value = value, .patience_ms = patience_ms};
    assert_int_equal(pthread_create(&caller->thread, NULL, call, caller), 0);
}

static void finish(struct caller *caller, int outcome)
{
    assert_int_equal(pthread_join(caller->thread, NULL), 0);
    harness_expect(caller->outcome, outcome, &caller->result);
}

struct awaited {
    const struct subject *subject;
    uint64_t calls;
    uint32_t queued;
};

static bool is_there(void *context)
{
    const struct awaited *awaited = context;
    struct cordon_cell_stats stats = subject_stats(awaited->subject);
    return stats.calls >= awaited->calls && stats.queued == awaited->queued;
}

static void await(const struct subject *subject, uint64_t calls, uint32_t queued)
{
    struct awaited awaited = {subject, calls, queued};
    assert_true(harness_wait(is_there, &awaited, 5000));
}

static void open_one_worker(const struct harness *harness, uint32_t queue, struct subject *subject)
{
    struct cordon_cell_options options = subject_options(harness, subject);
    options.workers = 1;
    options.queue = queue;
    subject_open(subject, &options);
}

static void test_callers_are_served_in_order(const struct harness *harness)
{
    struct subject subject;
    struct caller holder;
    struct caller callers[16];
    open_one_worker(harness, 0, &subject);
    struct cordon_function *wait = harness_bind(subject.cell, "wait_ms");
    struct cordon_function *remember = harness_bind(subject.cell, "remember");
    start(&holder, &subject, wait, 300, 10000);
    await(&subject, 1, 0);
    for (size_t i = 0; i < HARNESS_COUNT(callers); i++) {
        start(&callers[i], &subject, remember, (int)i + 1, 10000);
        await(&subject, 1, (uint32_t)i + 1);
    }
    finish(&holder, CORDON_DONE);
    for (size_t i = 0; i < HARNESS_COUNT(callers); i++) {
        finish(&callers[i], CORDON_DONE);
        assert_int_equal(callers[i].result.value.i, i); /* what the one before left */
    }
    assert_int_equal(subject_stats(&subject).queued, 0);
    subject_close(&subject);
}

static void test_full_queue_refuses_at_once(const struct harness *harness)
{
    struct subject subject;
    struct caller callers[4];
    struct caller refused;
    open_one_worker(harness, 3, &subject);
    struct cordon_function *wait = harness_bind(subject.cell, "wait_ms");
    start(&callers[0], &subject, wait, 300, 10000);
    await(&subject, 1, 0);
    for (uint32_t i = 1; i < 4; i++) {
        start(&callers[i], &subject, wait, 1, 10000);
        await(&subject, 1, i);
    }
    start(&refused, &subject, wait, 1, 10000);
    finish(&refused, CORDON_BUSY);
    assert_true(refused.took_ns < 150 * CLOCK_MS_NS);
    assert_non_null(strstr(refused.result.error.text, "queue"));
    assert_true(refused.result.retry_after_ms >= 1);
    for (uint32_t i = 0; i < 4; i++) {
        finish(&callers[i], CORDON_DONE);
    }
    start(&refused, &subject, wait, 1, 10000);
    finish(&refused, CORDON_DONE);
    subject_close(&subject);
}

static void test_nobody_waits_where_nobody_may(const struct harness *harness)
{
    struct subject subject;
    struct caller holder;
    struct caller refused;
    open_one_worker(harness, CORDON_NONE, &subject);
    struct cordon_function *wait = harness_bind(subject.cell, "wait_ms");
    start(&holder, &subject, wait, 200, 10000);
    await(&subject, 1, 0);
    start(&refused, &subject, wait, 1, 10000);
    finish(&refused, CORDON_BUSY);
    finish(&holder, CORDON_DONE);
    subject_close(&subject);
}

/* The deadline counts from the submission: who waited until then is told busy, and leaves the line. */
static void test_deadline_passes_while_queued(const struct harness *harness)
{
    struct subject subject;
    struct caller holder;
    struct caller impatient[2];
    struct caller patient;
    open_one_worker(harness, 0, &subject);
    struct cordon_function *wait = harness_bind(subject.cell, "wait_ms");
    start(&holder, &subject, wait, 500, 10000);
    await(&subject, 1, 0);
    start(&impatient[0], &subject, wait, 1, 60);
    await(&subject, 1, 1);
    start(&impatient[1], &subject, wait, 1, 120);
    await(&subject, 1, 2);
    start(&patient, &subject, wait, 1, 10000);
    await(&subject, 1, 3);
    for (size_t i = 0; i < 2; i++) {
        finish(&impatient[i], CORDON_BUSY);
        assert_in_range(impatient[i].took_ns / CLOCK_MS_NS, 60 * (i + 1) - 1, 60 * (i + 1) + 200);
        assert_non_null(strstr(impatient[i].result.error.text, "no worker became free"));
    }
    finish(&holder, CORDON_DONE);
    finish(&patient, CORDON_DONE);
    /* What is left of the deadline is the call's. */
    start(&holder, &subject, wait, 200, 10000);
    await(&subject, 3, 0);
    start(&impatient[0], &subject, wait, 10000, 400);
    finish(&impatient[0], CORDON_TIMEOUT);
    assert_in_range(impatient[0].took_ns / CLOCK_MS_NS, 399, 700);
    finish(&holder, CORDON_DONE);
    assert_int_equal(subject_stats(&subject).queued, 0);
    subject_close(&subject);
}

struct churn {
    struct cordon_function *function;
    _Atomic uint64_t done;
    _Atomic uint64_t busy;
    _Atomic uint64_t other;
    uint32_t patience_ms;
};

static void *churn(void *context)
{
    struct churn *work = context;
    struct cordon_result result;
    for (int i = 0; i < 2000; i++) {
        struct cordon_value arg = cordon_int(i);
        int r = cordon_call(work->function, &arg, 1, cordon_after_ms(work->patience_ms), &result);
        atomic_fetch_add(r == CORDON_DONE   ? &work->done
                         : r == CORDON_BUSY ? &work->busy
                                            : &work->other,
                         1);
    }
    return NULL;
}

static void test_many_callers_all_get_an_answer(const struct harness *harness)
{
    struct subject subject;
    pthread_t threads[12];
    open_one_worker(harness, 4, &subject);
    struct churn work = {.function = harness_bind(subject.cell, "remember"), .patience_ms = 2000};
    for (size_t i = 0; i < HARNESS_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &work), 0);
    }
    for (size_t i = 0; i < HARNESS_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(work.other, 0);
    assert_int_equal(work.done + work.busy, 12 * 2000);
    assert_true(work.done > 0);
    assert_int_equal(subject_stats(&subject).queued, 0);
    subject_close(&subject);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"callers_are_served_in_order", test_callers_are_served_in_order,
         HARNESS_PROCESS | HARNESS_THREAD, 0, 0},
        {"full_queue_refuses_at_once", test_full_queue_refuses_at_once,
         HARNESS_PROCESS | HARNESS_THREAD, 0, 0},
        {"nobody_waits_where_nobody_may", test_nobody_waits_where_nobody_may, HARNESS_PROCESS, 0,
         0},
        {"deadline_passes_while_queued", test_deadline_passes_while_queued, HARNESS_PROCESS, 0, 0},
        {"many_callers_all_get_an_answer", test_many_callers_all_get_an_answer, HARNESS_PROCESS, 0,
         0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
