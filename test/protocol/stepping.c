/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker killed in each state of the protocol, 20 times each. What the host does, callbacks and bytes
 * that the worker writes into the arena are the stepping points: when they come, the state is known.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "harness/harness.h"
#include "protocol/killing.h"

#define TIMES 20

struct stage {
    struct cordon_cell *cell;
    struct cordon_session *session;
    struct cordon_function *absolute;
    struct cordon_function *sort;
    struct cordon_function *set;
    struct cordon_function *wait;
};

static struct stage stage_open(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.interface_text = "struct pair { int a; int b; };\nint abs(int j);\n";
    options.events = true;
    options.arena_bytes = 1u << 16;
    options.deadline_ms = 10000;
    options.breaker_percent = options.function_breaker_percent = CORDON_NONE;
    struct stage stage = {.cell = harness_open_with(&options)};
    stage.session = harness_session(stage.cell);
    stage.absolute = harness_bind(stage.cell, "abs");
    stage.sort = harness_bind(stage.cell, "void qsort(int base[n], size_t n, size_t size,"
                                          " int (*cmp)(const int *a, const int *b) fails(0))");
    stage.set = harness_bind(stage.cell, "void memset(out uint8_t bytes[n], int value, size_t n)");
    stage.wait = harness_bind(stage.cell, "int usleep(unsigned usec)");
    return stage;
}

static void stage_close(struct stage *stage)
{
    cordon_session_close(stage->session);
    cordon_cell_close(stage->cell);
}

/* The session must serve calls again, whatever happened to its worker. */
static void expect_served(const struct stage *stage)
{
    struct cordon_value arg = cordon_int(-9);
    assert_int_equal(harness_value(stage->session, stage->absolute, &arg, 1).i, 9);
}

/* The same where the worker may have died idle, unknown to the host: then the first call has crashed. */
static void expect_served_after_a_death(const struct stage *stage)
{
    struct cordon_value arg = cordon_int(-9);
    struct cordon_result result;
    int r = cordon_session_call(stage->session, stage->absolute, &arg, 1, CORDON_DEFAULT, &result);
    if (r != CORDON_CRASHED) {
        harness_expect(r, CORDON_DONE, &result);
    }
    expect_served(stage);
}

static struct cordon_pending *submit(const struct stage *stage, struct cordon_function *function,
                                     const struct cordon_value *args, size_t count)
{
    struct cordon_pending *pending = NULL;
    struct cordon_error error = {{0}};
    int r = cordon_submit(stage->session, function, args, count, CORDON_DEFAULT, &pending, &error);
    if (r != 0) {
        fail_msg("submit: %d: %s", r, error.text);
    }
    return pending;
}

static int collect(struct cordon_pending *pending)
{
    struct cordon_result result;
    int r = cordon_collect(pending, cordon_after_ms(8000), &result);
    cordon_result_release(&result);
    return r;
}

static void test_kill_while_parked(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    for (int i = 0; i < TIMES; i++) {
        expect_served(&stage);
        assert_true(kill_worker(stage.session, true));
        /* The host may publish before the keeper has told it of the death: then the call crashed. */
        struct cordon_value arg = cordon_int(-1);
        struct cordon_result result;
        int r =
            cordon_session_call(stage.session, stage.absolute, &arg, 1, CORDON_DEFAULT, &result);
        assert_true(r == CORDON_DONE || r == CORDON_CRASHED);
        expect_served(&stage);
    }
    stage_close(&stage);
}

static void test_kill_between_submit_and_flush(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    for (int i = 0; i < TIMES; i++) {
        expect_served(&stage);
        struct cordon_value arg = cordon_uint(2000000);
        struct cordon_pending *first = submit(&stage, stage.wait, &arg, 1);
        struct cordon_pending *second = submit(&stage, stage.wait, &arg, 1);
        assert_true(kill_worker(stage.session, true));
        cordon_flush(stage.session);
        int r = collect(first);
        assert_true(r == CORDON_CRASHED || r == CORDON_ABORTED);
        assert_int_equal(collect(second), CORDON_ABORTED);
        expect_served(&stage);
    }
    stage_close(&stage);
}

static bool byte_is_set(void *context)
{
    return *(volatile uint8_t *)context == 1;
}

static void test_kill_while_executing(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    uint8_t *mark = cordon_arena_alloc(stage.session, 64);
    assert_non_null(mark);
    for (int i = 0; i < TIMES; i++) {
        *mark = 0;
        const struct cordon_value set[] = {cordon_out(mark, 1), cordon_int(1), cordon_uint(1)};
        struct cordon_value arg = cordon_uint(5000000);
        struct cordon_pending *first = submit(&stage, stage.set, set, 3);
        struct cordon_pending *second = submit(&stage, stage.wait, &arg, 1);
        struct cordon_pending *third = submit(&stage, stage.wait, &arg, 1);
        cordon_flush(stage.session);
        assert_true(harness_wait(byte_is_set, mark, 5000));
        assert_int_equal(collect(first), CORDON_DONE);
        assert_true(kill_worker(stage.session, false));
        assert_int_equal(collect(second), CORDON_CRASHED);
        assert_int_equal(collect(third), CORDON_ABORTED);
        expect_served(&stage);
    }
    stage_close(&stage);
}

static void test_kill_after_the_answer_before_it_is_collected(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    for (int i = 0; i < TIMES; i++) {
        struct cordon_value arg = cordon_int(-i);
        struct cordon_pending *pending = submit(&stage, stage.absolute, &arg, 1);
        cordon_flush(stage.session);
        struct cordon_pending *answered = NULL;
        assert_int_equal(cordon_collect_any(stage.session, cordon_after_ms(5000), &answered), 0);
        assert_ptr_equal(answered, pending);
        assert_true(kill_worker(stage.session, true));
        struct cordon_result result;
        harness_expect(cordon_collect(pending, cordon_after_ms(5000), &result), CORDON_DONE,
                       &result);
        assert_int_equal(result.value.i, i);
        expect_served(&stage);
    }
    stage_close(&stage);
}

static void test_kill_in_the_middle_of_collecting(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    for (int i = 0; i < TIMES; i++) {
        struct cordon_pending *pending[CORDON_BATCH_MAX];
        struct cordon_value arg = cordon_uint(300);
        for (int n = 0; n < CORDON_BATCH_MAX; n++) {
            pending[n] = submit(&stage, stage.wait, &arg, 1);
        }
        cordon_flush(stage.session);
        for (int n = 0; n < 4; n++) {
            assert_int_equal(collect(pending[n]), CORDON_DONE);
        }
        bool killed = kill_worker(stage.session, false);
        int last = CORDON_DONE;
        int crashed = 0;
        for (int n = 4; n < CORDON_BATCH_MAX; n++) {
            int r = collect(pending[n]);
            /* Done, then the one that it died in, then those that were never begun. */
            assert_true(r == CORDON_DONE || r == CORDON_CRASHED || r == CORDON_ABORTED);
            assert_true(last == CORDON_DONE || r == CORDON_ABORTED);
            crashed += r == CORDON_CRASHED;
            last = r;
        }
        assert_true(killed);
        assert_in_range(crashed, 0, 1);
        expect_served_after_a_death(&stage);
    }
    stage_close(&stage);
}

/* What a comparison in the host does to the worker that waits for its answer. */
struct saboteur {
    const struct stage *stage;
    int kill_at;   /* number of the callback, from 1 */
    int callbacks; /* so far */
    bool call_inside;
    int inner_outcome;
};

static int compare(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    struct saboteur *saboteur = context;
    (void)count;
    int a;
    int b;
    memcpy(&a, args[0].memory, sizeof a);
    memcpy(&b, args[1].memory, sizeof b);
    *ret_value = cordon_int((a > b) - (a < b));
    if (++saboteur->callbacks == saboteur->kill_at) {
        (void)kill_worker(session, true);
        if (saboteur->call_inside) {
            struct cordon_value arg = cordon_int(-1);
            struct cordon_result result;
            saboteur->inner_outcome = cordon_session_call(session, saboteur->stage->absolute, &arg,
                                                          1, CORDON_DEFAULT, &result);
        }
    }
    return 0;
}

static int sort_and_sabotage(const struct stage *stage, struct saboteur *saboteur)
{
    struct cordon_callback *order = NULL;
    assert_int_equal(cordon_callback_new(compare, saboteur, &order), 0);
    int numbers[16];
    for (int i = 0; i < 16; i++) {
        numbers[i] = 16 - i;
    }
    const struct cordon_value args[] = {cordon_out(numbers, 16), cordon_uint(sizeof(int)),
                                        cordon_function_pointer(order)};
    struct cordon_result result;
    int r = cordon_session_call(stage->session, stage->sort, args, 3, CORDON_DEFAULT, &result);
    if (r != CORDON_DONE) {
        assert_int_equal(numbers[0], 16); /* outputs stay as they were */
    }
    cordon_callback_free(order);
    return r;
}

static void test_kill_inside_a_callback(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    for (int i = 0; i < TIMES; i++) {
        struct saboteur saboteur = {.stage = &stage, .kill_at = 1 + i % 7};
        assert_int_equal(sort_and_sabotage(&stage, &saboteur), CORDON_CRASHED);
        assert_int_equal(saboteur.callbacks, saboteur.kill_at);
        expect_served(&stage);
    }
    stage_close(&stage);
}

static void test_kill_inside_a_callback_before_a_call_from_it(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    for (int i = 0; i < TIMES; i++) {
        struct saboteur saboteur = {
            .stage = &stage, .kill_at = 1 + i % 7, .call_inside = true, .inner_outcome = -1};
        assert_int_equal(sort_and_sabotage(&stage, &saboteur), CORDON_CRASHED);
        assert_true(saboteur.inner_outcome == CORDON_CRASHED ||
                    saboteur.inner_outcome == CORDON_ABORTED);
        expect_served(&stage);
    }
    stage_close(&stage);
}

static void test_kill_after_a_callback_has_returned(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    struct saboteur saboteur = {.stage = &stage, .kill_at = -1};
    for (int i = 0; i < TIMES; i++) {
        assert_int_equal(sort_and_sabotage(&stage, &saboteur), CORDON_DONE);
        assert_true(kill_worker(stage.session, i % 2 == 0));
        struct cordon_value arg = cordon_int(-1);
        struct cordon_result result;
        int r =
            cordon_session_call(stage.session, stage.absolute, &arg, 1, CORDON_DEFAULT, &result);
        assert_true(r == CORDON_DONE || r == CORDON_CRASHED);
        /* A signal that was sent may be yet to come: the worker's CPU is somebody else's for a moment. */
        expect_served_after_a_death(&stage);
    }
    stage_close(&stage);
}

static void test_kill_between_batches(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    for (int i = 0; i < TIMES; i++) {
        struct cordon_pending *pending[8];
        struct cordon_value arg = cordon_int(-i);
        for (int batch = 0; batch < 2; batch++) {
            for (int n = 0; n < 8; n++) {
                pending[n] = submit(&stage, stage.absolute, &arg, 1);
            }
            cordon_flush(stage.session);
            for (int n = 0; n < 8; n++) {
                int r = collect(pending[n]);
                assert_true(batch == 0
                                ? r == CORDON_DONE
                                : r == CORDON_DONE || r == CORDON_CRASHED || r == CORDON_ABORTED);
            }
            assert_true(batch == 1 || kill_worker(stage.session, true));
        }
        expect_served(&stage);
    }
    stage_close(&stage);
}

static void test_kill_under_an_object(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    for (int i = 0; i < TIMES; i++) {
        struct cordon_handle object;
        struct cordon_error error = {{0}};
        int value = i;
        assert_int_equal(cordon_object_new(stage.session, "struct pair", &object, &error), 0);
        assert_int_equal(
            cordon_object_write(stage.session, object, "b", &value, sizeof value, &error), 0);
        assert_true(kill_worker(stage.session, true));
        int r = cordon_object_read(stage.session, object, "b", &value, sizeof value, &error);
        assert_true(r == CORDON_STALE || r == CORDON_CRASHED);
        expect_served(&stage);
        r = cordon_object_read(stage.session, object, "b", &value, sizeof value, &error);
        assert_int_equal(r, CORDON_STALE);
    }
    stage_close(&stage);
}

/* Kills every worker that appears under the test program, while sessions are being opened. */
struct hunter {
    _Atomic bool stop;
    _Atomic uint32_t kills;
};

static void *hunt(void *context)
{
    struct hunter *hunter = context;
    while (!atomic_load(&hunter->stop)) {
        int pids[16];
        size_t found = harness_descendants(getppid(), "cordon-worker", pids, HARNESS_COUNT(pids));
        for (size_t i = 0; i < found && i < HARNESS_COUNT(pids); i++) {
            if (kill(pids[i], SIGKILL) == 0) {
                atomic_fetch_add(&hunter->kills, 1);
            }
        }
    }
    return NULL;
}

static void test_kill_while_starting(const struct harness *harness)
{
    struct stage stage = stage_open(harness);
    struct hunter hunter = {.stop = false};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hunt, &hunter), 0);
    uint64_t until_ns = clock_after_ns(20 * CLOCK_SECOND_NS);
    while (atomic_load(&hunter.kills) < TIMES && clock_now_ns() < until_ns) {
        struct cordon_cell_options options = harness_options(harness);
        struct cordon_cell *cell =
            NULL; /* each its own: one whose starts fail waits between them */
        struct cordon_function *function = NULL;
        struct cordon_error error = {{0}};
        options.library = "";
        if (cordon_cell_open(&options, &cell, &error) == 0) {
            struct cordon_value arg = cordon_int(-5);
            struct cordon_result result;
            if (cordon_bind(cell, "int abs(int j)", 0, &function, &error) == 0) {
                (void)!cordon_call(function, &arg, 1, CORDON_DEFAULT, &result);
            }
            cordon_cell_close(cell);
        } else {
            assert_string_not_equal(error.text, "");
        }
    }
    atomic_store(&hunter.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(hunter.kills >= TIMES);
    expect_served(&stage);
    stage_close(&stage);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"kill_while_parked", test_kill_while_parked, HARNESS_PROCESS, 0, 0},
        {"kill_between_submit_and_flush", test_kill_between_submit_and_flush, HARNESS_PROCESS, 0,
         60},
        {"kill_while_executing", test_kill_while_executing, HARNESS_PROCESS, 0, 0},
        {"kill_after_the_answer_before_it_is_collected",
         test_kill_after_the_answer_before_it_is_collected, HARNESS_PROCESS, 0, 0},
        {"kill_in_the_middle_of_collecting", test_kill_in_the_middle_of_collecting, HARNESS_PROCESS,
         0, 0},
        {"kill_inside_a_callback", test_kill_inside_a_callback, HARNESS_PROCESS, 0, 0},
        {"kill_inside_a_callback_before_a_call_from_it",
         test_kill_inside_a_callback_before_a_call_from_it, HARNESS_PROCESS, 0, 0},
        {"kill_after_a_callback_has_returned", test_kill_after_a_callback_has_returned,
         HARNESS_PROCESS, 0, 0},
        {"kill_between_batches", test_kill_between_batches, HARNESS_PROCESS, 0, 0},
        {"kill_under_an_object", test_kill_under_an_object, HARNESS_PROCESS, 0, 0},
        {"kill_while_starting", test_kill_while_starting, HARNESS_PROCESS, 0, 60},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
