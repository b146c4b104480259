/* SPDX-License-Identifier: Apache-2.0 */

/* Workers killed at random under load: every call ends exactly once, none hangs, nothing leaks. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "harness/harness.h"
#include "protocol/killing.h"

#define SESSIONS 4u
#define KILLS    500u
/* Starts and kills on a busy machine; nothing but the machine can use up a call's 8 s and a start beside. */
#define CALL_MAX_NS (10 * CLOCK_SECOND_NS)

struct load {
    struct cordon_cell *cell;
    struct cordon_session *sessions[SESSIONS];
    struct cordon_function *absolute;
    struct cordon_function *length;
    struct cordon_function *sort;
    _Atomic bool stop;
    /* Written by the threads, read after they were joined: relaxed would do. */
    _Atomic uint64_t begun;
    _Atomic uint64_t ended[8];
    _Atomic uint64_t refused; /* their fresh worker was killed before it had started */
    _Atomic uint64_t wrong;
    _Atomic uint64_t late;
};

struct caller {
    struct load *load;
    uint32_t number;
};

static int compare(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    (void)context, (void)session, (void)count;
    int a;
    int b;
    memcpy(&a, args[0].memory, sizeof a);
    memcpy(&b, args[1].memory, sizeof b);
    *ret_value = cordon_int((a > b) - (a < b));
    return 0;
}

/* Judge what one call came to. */
static void book(struct load *load, int r, bool right, uint64_t begin_ns,
                 struct cordon_result *result)
{
    atomic_fetch_add(&load->begun, 1);
    if (clock_now_ns() - begin_ns > CALL_MAX_NS) {
        atomic_fetch_add(&load->late, 1);
    }
    if (r < 0 || r > 7) {
        if (atomic_fetch_add(&load->refused, 1) == 0) {
            printf("refused: %d: %s\n", r, result->error.text);
        }
    } else {
        atomic_fetch_add(&load->ended[r], 1);
        if (r == CORDON_DONE && !right) {
            atomic_fetch_add(&load->wrong, 1);
        }
    }
    cordon_result_release(result);
}

static void call_absolute(struct load *load, struct cordon_session *session, uint32_t i)
{
    struct cordon_value arg = cordon_int(-(int32_t)i);
    struct cordon_result result;
    uint64_t begin_ns = clock_now_ns();
    int r = cordon_session_call(session, load->absolute, &arg, 1, CORDON_DEFAULT, &result);
    book(load, r, result.value.i == i, begin_ns, &result);
}

static void call_length(struct load *load, struct cordon_session *session, uint32_t i)
{
    char text[4000];
    memset(text, 'x', sizeof text);
    text[i % sizeof text] = '\0';
    struct cordon_value arg = cordon_string(text);
    struct cordon_result result;
    uint64_t begin_ns = clock_now_ns();
    int r = cordon_session_call(session, load->length, &arg, 1, CORDON_DEFAULT, &result);
    book(load, r, result.value.u == i % sizeof text, begin_ns, &result);
}

static void call_sort(struct load *load, struct cordon_session *session,
                      struct cordon_callback *order, uint32_t i)
{
    int numbers[8];
    for (uint32_t n = 0; n < 8; n++) {
        numbers[n] = (int)((n * 5 + i) % 8);
    }
    struct cordon_value args[] = {cordon_out(numbers, 8), cordon_uint(sizeof(int)),
                                  cordon_function_pointer(order)};
    struct cordon_result result;
    uint64_t begin_ns = clock_now_ns();
    int r = cordon_session_call(session, load->sort, args, 3, CORDON_DEFAULT, &result);
    bool sorted = true;
    for (int n = 0; n < 8; n++) {
        sorted = sorted && numbers[n] == n;
    }
    book(load, r, sorted, begin_ns, &result);
}

static void *call_until_stopped(void *context)
{
    struct caller *caller = context;
    struct load *load = caller->load;
    struct cordon_session *session = load->sessions[caller->number % SESSIONS];
    struct cordon_callback *order = NULL;
    if (cordon_callback_new(compare, NULL, &order) != 0) {
        atomic_fetch_add(&load->wrong, 1);
        return NULL;
    }
    for (uint32_t i = 0; !atomic_load_explicit(&load->stop, memory_order_relaxed); i++) {
        switch (i % 3) {
        case 0:
            call_absolute(load, session, i);
            break;
        case 1:
            call_length(load, session, i);
            break;
        default:
            call_sort(load, session, order, i);
            break;
        }
    }
    cordon_callback_free(order);
    return NULL;
}

static void kill_at_random(struct load *load)
{
    unsigned seed = 20;
    uint64_t until_ns = clock_after_ns(90 * CLOCK_SECOND_NS);
    for (uint32_t kills = 0; kills < KILLS;) {
        if (kill_some_worker(getppid(), &seed)) {
            kills++;
        }
        if (clock_now_ns() > until_ns) {
            atomic_store(&load->stop, true);
            fail_msg("only %u workers could be killed in time", kills);
        }
        (void)poll(NULL, 0, rand_r(&seed) % 12);
    }
    atomic_store(&load->stop, true);
}

struct question {
    struct cordon_session *session;
    struct cordon_function *absolute;
};

/* The last kills may have met starts: then the next one is tried a little later. */
static bool is_answered(void *context)
{
    const struct question *question = context;
    struct cordon_value arg = cordon_int(-6);
    struct cordon_result result;
    int r = cordon_session_call(question->session, question->absolute, &arg, 1, CORDON_DEFAULT,
                                &result);
    bool right = r == CORDON_DONE && result.value.i == 6;
    if (r != CORDON_OPEN && !right) {
        harness_expect(r, CORDON_DONE, &result);
        fail_msg("a wrong answer");
    }
    cordon_result_release(&result);
    return right;
}

static void test_500_random_kills_end_every_call_exactly_once(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.deadline_ms = 8000;
    struct load load = {.cell = harness_open_with(&options)};
    load.absolute = harness_bind(load.cell, "int abs(int j)");
    load.length = harness_bind(load.cell, "size_t strlen(const char *s)");
    load.sort = harness_bind(load.cell, "void qsort(int base[n], size_t n, size_t size,"
                                        " int (*cmp)(const int *a, const int *b) fails(0))");
    for (size_t i = 0; i < SESSIONS; i++) {
        load.sessions[i] = harness_session(load.cell);
    }
    pthread_t threads[SESSIONS * 2];
    struct caller callers[SESSIONS * 2];
    for (uint32_t i = 0; i < HARNESS_COUNT(threads); i++) {
        callers[i] = (struct caller){&load, i};
        assert_int_equal(pthread_create(&threads[i], NULL, call_until_stopped, &callers[i]), 0);
    }
    kill_at_random(&load);
    for (size_t i = 0; i < HARNESS_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    uint64_t ended = 0;
    for (size_t i = 0; i < HARNESS_COUNT(load.ended); i++) {
        ended += load.ended[i];
    }
    printf("%lu calls: %lu done, %lu crashed, %lu aborted\n", load.begun, load.ended[CORDON_DONE],
           load.ended[CORDON_CRASHED], load.ended[CORDON_ABORTED]);
    struct cordon_cell_stats stats;
    cordon_cell_stats(load.cell, &stats);
    assert_in_range(load.refused, 0, KILLS);
    assert_int_equal(load.wrong, 0);
    assert_int_equal(load.late, 0);
    assert_int_equal(ended + load.refused, load.begun);
    assert_int_equal(stats.calls, load.begun);
    assert_int_equal(load.ended[CORDON_TIMEOUT], 0);
    assert_true(load.ended[CORDON_DONE] > KILLS);
    assert_true(load.ended[CORDON_CRASHED] > 0);
    for (size_t i = 0; i < HARNESS_COUNT(load.ended); i++) {
        assert_int_equal(stats.ended[i], load.ended[i]);
    }
    for (size_t i = 0; i < SESSIONS; i++) {
        struct question question = {load.sessions[i], load.absolute};
        assert_true(harness_wait(is_answered, &question, 10000));
        cordon_session_close(load.sessions[i]);
    }
    cordon_cell_close(load.cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"500_random_kills_end_every_call_exactly_once",
         test_500_random_kills_end_every_call_exactly_once, HARNESS_PROCESS, 0, 150},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
