/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/callback.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "invoke/test_rig.h"

#define QSORT                                                                                      \
    "void qsort(inout void base[n * size], size_t n, size_t size, "                                \
    "int (*compare)(const void a[size], const void b[size])"

#define CLOSURES 4u

static int set_up(void **state)
{
    *state = rig_new(NULL, CLOSURES, 64, 4096);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

static int compare_ints(void *context, const struct cordon_value *args,
                        struct cordon_value *ret_result)
{
    unsigned *calls = context;
    int a;
    int b;
    assert_int_equal(args[0].kind, CORDON_VALUE_MEMORY);
    assert_int_equal(args[0].count, sizeof a);
    memcpy(&a, args[0].memory, sizeof a);
    memcpy(&b, args[1].memory, sizeof b);
    *ret_result = cordon_int((a > b) - (a < b));
    ++*calls;
    return 0;
}

static int refuse_after_three(void *context, const struct cordon_value *args,
                              struct cordon_value *ret_result)
{
    unsigned *calls = context;
    return *calls == 3 ? -1 : compare_ints(context, args, ret_result);
}

static struct cordon_value *sort_arguments(int *numbers, size_t count, struct cordon_value compare)
{
    static struct cordon_value args[4];
    args[0] = cordon_out(numbers, count * sizeof *numbers);
    args[1] = cordon_uint(count);
    args[2] = cordon_uint(sizeof *numbers);
    args[3] = compare;
    return args;
}

static void test_qsort_asks_the_host(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    unsigned calls = 0;
    int numbers[100];
    uint32_t f = rig_bind(rig, QSORT ")");
    for (int i = 0; i < 100; i++) {
        numbers[i] = (i * 37) % 101 - 50;
    }
    struct cordon_value compare = rig_callback(rig, compare_ints, &calls);
    assert_int_equal(rig_call(rig, f, sort_arguments(numbers, 100, compare), 4, &result), 0);
    for (int i = 1; i < 100; i++) {
        assert_true(numbers[i - 1] <= numbers[i]);
    }
    assert_true(calls >= 99);
}

static void test_bsearch_result_is_within_the_array(void **state)
{
    struct rig *rig = *state;
    unsigned calls = 0;
    int numbers[8] = {1, 3, 5, 7, 9, 11, 13, 15};
    int key = 11;
    uint32_t f = rig_bind(
        rig, "within(base) void *bsearch(const void key[size], const void base[n * size], "
             "size_t n, size_t size, int (*compare)(const void a[size], const void b[size]))");
    assert_int_equal(rig_number(rig, f,
                                RIG_ARGS(cordon_in(&key, sizeof key),
                                         cordon_in(numbers, sizeof numbers), cordon_uint(8),
                                         cordon_uint(4), rig_callback(rig, compare_ints, &calls))),
                     5 * sizeof(int));
}

static void test_declared_failure_value_is_returned_when_the_host_fails(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    unsigned calls = 0;
    int numbers[3] = {3, 2, 1};
    int many[16] = {0};
    uint32_t f = rig_bind(rig, QSORT " fails(0))");
    struct cordon_value compare = rig_callback(rig, refuse_after_three, &calls);
    assert_int_equal(rig_call(rig, f, sort_arguments(numbers, 3, compare), 4, &result), 0);
    assert_int_equal(rig_call(rig, f, sort_arguments(many, 16, compare), 4, &result), 0);
    assert_int_equal(calls, 3);
}

static void sort_and_fail(struct rig *rig)
{
    struct frame_result result;
    unsigned calls = 3;
    int numbers[3] = {3, 2, 1};
    struct cordon_value compare = rig_callback(rig, refuse_after_three, &calls);
    (void)rig_call(rig, 0, sort_arguments(numbers, 3, compare), 4, &result);
}

static void test_call_is_abandoned_when_the_host_fails_without_a_failure_value(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_bind(rig, QSORT ")"), 0);
    assert_int_equal(rig_in_child(sort_and_fail, rig), RIG_ABANDONED);
}

/* A comparison that sorts something itself, and calls scalar functions. */
struct nested {
    struct rig *rig;
    uint32_t sort;
    uint32_t abs;
    struct cordon_value inner;
    unsigned calls;
    unsigned inner_calls;
};

static int compare_nested(void *context, const struct cordon_value *args,
                          struct cordon_value *ret_result)
{
    struct nested *nested = context;
    struct frame_result result;
    int64_t pair[2];
    int a;
    int b;
    memcpy(&a, args[0].memory, sizeof a);
    memcpy(&b, args[1].memory, sizeof b);
    pair[0] = rig_number(nested->rig, nested->abs, RIG_ARGS(cordon_int(a)));
    pair[1] = rig_number(nested->rig, nested->abs, RIG_ARGS(cordon_int(b)));
    bool swapped = pair[0] > pair[1];
    assert_int_equal(rig_call(nested->rig, nested->sort,
                              RIG_ARGS(cordon_out(pair, sizeof pair), cordon_uint(2),
                                       cordon_uint(sizeof pair[0]), nested->inner),
                              &result),
                     0);
    assert_true(pair[0] <= pair[1]);
    *ret_result = cordon_int(swapped ? 1 : -1);
    nested->calls++;
    return 0;
}

static int compare_longs(void *context, const struct cordon_value *args,
                         struct cordon_value *ret_result)
{
    unsigned *calls = context;
    int64_t a;
    int64_t b;
    assert_int_equal(args[0].count, sizeof a);
    memcpy(&a, args[0].memory, sizeof a);
    memcpy(&b, args[1].memory, sizeof b);
    *ret_result = cordon_int((a > b) - (a < b));
    ++*calls;
    return 0;
}

static void test_callback_calls_back_into_the_library(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    struct nested nested = {.rig = rig};
    int numbers[5] = {-9, 3, -7, 1, 5};
    nested.sort = rig_bind(rig, QSORT ")");
    nested.abs = rig_bind(rig, "int abs(int x)");
    nested.inner = rig_callback(rig, compare_longs, &nested.inner_calls);
    struct cordon_value compare = rig_callback(rig, compare_nested, &nested);
    assert_int_equal(rig_call(rig, nested.sort, sort_arguments(numbers, 5, compare), 4, &result),
                     0);
    static const int sorted[5] = {1, 3, 5, -7, -9};
    assert_memory_equal(numbers, sorted, sizeof sorted);
    assert_true(nested.calls >= 4);
    assert_true(nested.inner_calls >= nested.calls);
    uint32_t id;
    assert_null(engine_running(rig->engine, &id));
}

struct watcher {
    struct rig *rig;
    const char *name;
};

static int note_running(void *context, const struct cordon_value *args,
                        struct cordon_value *ret_result)
{
    struct watcher *watcher = context;
    uint32_t id = 0;
    (void)args;
    watcher->name = engine_running(watcher->rig->engine, &id);
    *ret_result = cordon_int(0);
    return 0;
}

static void test_running_function_is_known_inside_the_call_only(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    struct watcher watcher = {.rig = rig};
    int numbers[2] = {2, 1};
    uint32_t f = rig_bind(rig, QSORT ")");
    struct cordon_value compare = rig_callback(rig, note_running, &watcher);
    assert_int_equal(rig_call(rig, f, sort_arguments(numbers, 2, compare), 4, &result), 0);
    assert_string_equal(watcher.name, "qsort");
    uint32_t id;
    assert_null(engine_running(rig->engine, &id));
}

static void test_trampolines_of_a_call_are_free_when_it_ends(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    unsigned calls = 0;
    uint32_t f = rig_bind(rig, QSORT ")");
    struct cordon_value compare = rig_callback(rig, compare_ints, &calls);
    for (unsigned i = 0; i < 3 * CLOSURES; i++) {
        int numbers[2] = {2, 1};
        assert_int_equal(rig_call(rig, f, sort_arguments(numbers, 2, compare), 4, &result), 0);
        assert_int_equal(numbers[0], 1);
    }
}

static int count_signal(void *context, const struct cordon_value *args,
                        struct cordon_value *ret_result)
{
    int *last = context;
    (void)ret_result;
    *last = (int)args[0].i;
    return 0;
}

static void test_kept_callback_is_called_by_later_calls(void **state)
{
    struct rig *rig = *state;
    int last = 0;
    uint32_t set =
        rig_bind(rig, "token void *signal(int number, kept void (*handler)(int number))");
    uint32_t raise_fn = rig_bind(rig, "int raise(int number)");
    struct cordon_value handler = rig_callback(rig, count_signal, &last);
    (void)rig_number(rig, set, RIG_ARGS(cordon_int(SIGUSR1), handler));
    assert_int_equal(rig_number(rig, raise_fn, RIG_ARGS(cordon_int(SIGUSR1))), 0);
    assert_int_equal(last, SIGUSR1);
    /* The same callback has the same address, however often it is passed. */
    int64_t before = rig_number(rig, set, RIG_ARGS(cordon_int(SIGUSR1), handler));
    for (unsigned i = 0; i < 2 * CLOSURES; i++) {
        assert_true(rig_number(rig, set, RIG_ARGS(cordon_int(SIGUSR1), handler)) == before);
    }
    /* A constant goes as it is. */
    assert_true(rig_number(rig, set, RIG_ARGS(cordon_int(SIGUSR1), rig_constant(rig, 1))) ==
                before);
    assert_true(rig_number(rig, set, RIG_ARGS(cordon_int(SIGUSR1), cordon_null())) == 1);
}

static void test_kept_callbacks_reach_their_limit_by_name(void **state)
{
    struct rig *rig = *state;
    struct frame_result result;
    int last = 0;
    uint32_t set =
        rig_bind(rig, "token void *signal(int number, kept void (*handler)(int number))");
    for (unsigned i = 0; i < CLOSURES; i++) {
        (void)rig_number(rig, set,
                         RIG_ARGS(cordon_int(SIGUSR1), rig_callback(rig, count_signal, &last)));
    }
    assert_int_equal(rig_call(rig, set,
                              RIG_ARGS(cordon_int(SIGUSR1), rig_callback(rig, count_signal, &last)),
                              &result),
                     -E2BIG);
    assert_non_null(strstr(rig->why.text, "LIMIT_CLOSURES"));
    (void)signal(SIGUSR1, SIG_DFL);
}

/* A callback inside a callback inside ...: each sorts again, until one is refused. */
struct dive {
    struct rig *rig;
    uint32_t sort;
    struct cordon_value self;
    unsigned depth;
    unsigned deepest;
    int status;
};

static int compare_dive(void *context, const struct cordon_value *args,
                        struct cordon_value *ret_result)
{
    struct dive *dive = context;
    struct frame_result result;
    int numbers[2] = {2, 1};
    struct cordon_value own[4];
    (void)args;
    *ret_result = cordon_int(1);
    dive->depth++;
    dive->deepest = dive->depth > dive->deepest ? dive->depth : dive->deepest;
    memcpy(own, sort_arguments(numbers, 2, dive->self), sizeof own);
    if (dive->status == 0) {
        int r = rig_call(dive->rig, dive->sort, own, 4, &result);
        dive->status = dive->status ? dive->status : r;
    }
    dive->depth--;
    return 0;
}

static void test_nesting_reaches_its_limit_by_name(void **state)
{
    struct rig *rig = rig_new(NULL, 2 * LIMIT_DEPTH, 64, 4096);
    struct frame_result result;
    struct dive dive = {.rig = rig};
    int numbers[2] = {2, 1};
    struct cordon_value own[4];
    (void)state;
    dive.sort = rig_bind(rig, QSORT " fails(1))");
    dive.self = rig_callback(rig, compare_dive, &dive);
    memcpy(own, sort_arguments(numbers, 2, dive.self), sizeof own);
    assert_int_equal(rig_call(rig, dive.sort, own, 4, &result), 0);
    assert_int_equal(dive.deepest, LIMIT_DEPTH);
    assert_int_equal(dive.status, -E2BIG);
    assert_non_null(strstr(rig->why.text, "LIMIT_DEPTH"));
    rig_free(rig);
}

static void escape_from_call(struct rig *rig)
{
    struct frame_result result;
    int numbers[2] = {2, 1};
    struct cordon_value escape = rig_callback(rig, NULL, NULL);
    (void)rig_call(rig, 0, sort_arguments(numbers, 2, escape), 4, &result);
}

static void test_escape_abandons_the_call(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_bind(rig,
                              "void qsort(inout void base[n * size], size_t n, size_t size, "
                              "escape int (*compare)(const void a[size], const void b[size]))"),
                     0);
    assert_int_equal(rig_in_child(escape_from_call, rig), RIG_ABANDONED);
}

static void *raise_here(void *unused)
{
    (void)raise(SIGUSR1);
    return unused;
}

static void call_from_thread(struct rig *rig)
{
    pthread_t thread;
    int last = 0;
    (void)rig_number(rig, 0, RIG_ARGS(cordon_int(SIGUSR1), rig_callback(rig, count_signal, &last)));
    if (pthread_create(&thread, NULL, raise_here, NULL) == 0) {
        (void)pthread_join(thread, NULL);
    }
}

static void test_callback_from_a_foreign_thread_abandons(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(
        rig_bind(rig, "token void *signal(int number, kept void (*handler)(int number))"), 0);
    assert_int_equal(rig_in_child(call_from_thread, rig), RIG_ABANDONED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_qsort_asks_the_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bsearch_result_is_within_the_array, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_declared_failure_value_is_returned_when_the_host_fails,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_call_is_abandoned_when_the_host_fails_without_a_failure_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_callback_calls_back_into_the_library, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_running_function_is_known_inside_the_call_only, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_trampolines_of_a_call_are_free_when_it_ends, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_kept_callback_is_called_by_later_calls, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_kept_callbacks_reach_their_limit_by_name, set_up,
                                        tear_down),
        cmocka_unit_test(test_nesting_reaches_its_limit_by_name),
        cmocka_unit_test_setup_teardown(test_escape_abandons_the_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_callback_from_a_foreign_thread_abandons, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("callback", tests, NULL, NULL);
}
