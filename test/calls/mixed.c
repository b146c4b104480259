/* SPDX-License-Identifier: Apache-2.0 */

/* Many threads, many calls: every answer belongs to its question and the counts add up. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/harness.h"

#define THREADS          8u
#define CALLS_PER_THREAD 12500u

struct crowd {
    struct cordon_function *absolute;
    struct cordon_function *length;
    struct cordon_function *root;
    struct cordon_function *compare;
    struct cordon_function *copy;
    _Atomic uint32_t wrong; /* answers that were not the question's; relaxed: read after the join */
    _Atomic uint32_t failed;
    _Atomic uint32_t done;
    _Atomic uint32_t refused;
};

/* One call; true if it was done and the answer is right. */
static bool call_absolute(struct crowd *crowd, uint32_t i, struct cordon_result *result)
{
    struct cordon_value args[] = {cordon_int(-(int32_t)i)};
    return cordon_call(crowd->absolute, args, 1, CORDON_DEFAULT, result) == CORDON_DONE &&
           result->value.i == i;
}

static bool call_length(struct crowd *crowd, uint32_t i, struct cordon_result *result)
{
    char text[1200];
    memset(text, 'x', sizeof text);
    text[i % 1200] = '\0';
    struct cordon_value args[] = {cordon_string(text)};
    return cordon_call(crowd->length, args, 1, CORDON_DEFAULT, result) == CORDON_DONE &&
           result->value.u == i % 1200;
}

static bool call_root(struct crowd *crowd, uint32_t i, struct cordon_result *result)
{
    double square = (double)i * i;
    struct cordon_value args[] = {cordon_float(square)};
    return cordon_call(crowd->root, args, 1, CORDON_DEFAULT, result) == CORDON_DONE &&
           result->value.f == (double)i;
}

static bool call_compare(struct crowd *crowd, uint32_t i, struct cordon_result *result)
{
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};
    a[i % 64] = (uint8_t)(i & 1);
    struct cordon_value args[] = {cordon_in(a, 64), cordon_in(b, 64)};
    return cordon_call(crowd->compare, args, 2, CORDON_DEFAULT, result) == CORDON_DONE &&
           (result->value.i != 0) == (i & 1);
}

static bool call_copy(struct crowd *crowd, uint32_t i, struct cordon_result *result)
{
    char out[64];
    char expected[64];
    (void)snprintf(expected, sizeof expected, "%u of many", i);
    struct cordon_value args[] = {cordon_out(out, sizeof out), cordon_uint(sizeof out),
                                  cordon_string("%u of %s"), cordon_uint(i), cordon_string("many")};
    return cordon_call(crowd->copy, args, 5, CORDON_DEFAULT, result) == CORDON_DONE &&
           strcmp(out, expected) == 0;
}

/* A call that does not fit its prototype: refused, and counted as such. */
static bool call_wrongly(struct crowd *crowd, struct cordon_result *result)
{
    struct cordon_value args[] = {cordon_int(INT64_MAX)};
    return cordon_call(crowd->absolute, args, 1, CORDON_DEFAULT, result) == -EINVAL;
}

static void *one_of_the_crowd(void *context)
{
    struct crowd *crowd = context;
    static bool (*const calls[])(struct crowd *, uint32_t, struct cordon_result *) = {
        call_absolute, call_length, call_root, call_compare, call_copy,
    };
    for (uint32_t i = 0; i < CALLS_PER_THREAD; i++) {
        struct cordon_result result;
        if (i % 1000 == 999) {
            atomic_fetch_add(call_wrongly(crowd, &result) ? &crowd->refused : &crowd->wrong, 1);
        } else if (calls[i % HARNESS_COUNT(calls)](crowd, i, &result)) {
            atomic_fetch_add(&crowd->done, 1);
        } else if (atomic_fetch_add(&crowd->failed, 1) == 0) {
            printf("call %u: %s\n", i, result.error.text);
        }
        cordon_result_release(&result);
    }
    return NULL;
}

static void test_counts_of_100000_mixed_calls_from_8_threads_add_up(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "libm.so.6";
    options.deadline_ms = 60000; /* the machine may be busy: no call is to end by its deadline */
    struct cordon_cell *cell = harness_open_with(&options);
    struct crowd crowd = {
        .absolute = harness_bind(cell, "int abs(int j)"),
        .length = harness_bind(cell, "size_t strlen(const char *s)"),
        .root = harness_bind(cell, "double sqrt(double x)"),
        .compare =
            harness_bind(cell, "int memcmp(const uint8_t a[n], const uint8_t b[n], size_t n)"),
        .copy = harness_bind(
            cell, "int snprintf(out char buffer[size], size_t size, const char *format, ...)"),
    };
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_the_crowd, &crowd), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    struct cordon_cell_stats stats;
    cordon_cell_stats(cell, &stats);
    uint64_t ended = 0;
    for (size_t i = 0; i < HARNESS_COUNT(stats.ended); i++) {
        ended += stats.ended[i];
    }
    assert_int_equal(crowd.failed, 0);
    assert_int_equal(crowd.wrong, 0);
    assert_int_equal(crowd.done + crowd.refused, THREADS * CALLS_PER_THREAD);
    assert_int_equal(stats.ended[CORDON_DONE], crowd.done);
    assert_int_equal(ended, crowd.done);
    assert_int_equal(stats.calls, crowd.done + crowd.refused);
    assert_int_equal(stats.refused, crowd.refused);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"counts_of_100000_mixed_calls_from_8_threads_add_up",
         test_counts_of_100000_mixed_calls_from_8_threads_add_up, HARNESS_ALL_LEVELS, 0, 120},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
