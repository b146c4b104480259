/* SPDX-License-Identifier: Apache-2.0 */

/* Calls, batches and callbacks inside each other: each has its own scope, and none waits for itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "harness/harness.h"

static const char interface[] =
    "void qsort(int base[n * size / 4], size_t n, size_t size,"
    " kept int (*cmp)(const void a[size], const void b[size]) fails(0));\n"
    "int abs(int j);\n";

struct scene {
    struct cordon_function *sort;
    struct cordon_function *absolute;
    struct cordon_callback *callback;
    struct cordon_pending *pending;
    struct cordon_pending *behind;
    uint32_t size;  /* of an element, as the call in progress has it */
    uint32_t wrong; /* callbacks that were told another */
    uint32_t calls;
    bool nests;
    int collected;
};

static struct cordon_result call_sort(struct scene *scene, struct cordon_session *session,
                                      int *numbers, uint32_t size)
{
    uint32_t before = scene->size;
    scene->size = size;
    const struct cordon_value args[] = {cordon_out(numbers, size), cordon_uint(4),
                                        cordon_uint(size),
                                        cordon_function_pointer(scene->callback)};
    struct cordon_result result = harness_call(session, scene->sort, args, 4);
    scene->size = before;
    return result;
}

static int compare(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    struct scene *scene = context;
    (void)count;
    scene->wrong += args[0].count != scene->size || args[1].count != scene->size;
    if (scene->calls++ == 0 && scene->nests) {
        int numbers[4] = {4, 3, 2, 1};
        (void)call_sort(scene, session, numbers, 4);
    }
    if (scene->pending) {
        struct cordon_result result;
        int own = cordon_collect(scene->pending, cordon_after_ms(100), &result);
        int other = cordon_collect(scene->behind, cordon_after_ms(100), &result);
        struct cordon_pending *any;
        int oldest = cordon_collect_any(session, cordon_after_ms(100), &any);
        scene->collected = own == other && own == oldest ? own : 0;
    }
    *ret_value = cordon_int(-1);
    return 0;
}

static struct cordon_cell *scene_open(const struct harness *harness, struct scene *scene,
                                      struct cordon_session **ret_session)
{
    struct cordon_cell *cell = harness_open(harness, "", interface);
    *ret_session = harness_session(cell);
    scene->sort = harness_bind(cell, "qsort");
    scene->absolute = harness_bind(cell, "abs");
    assert_int_equal(cordon_callback_new(compare, scene, &scene->callback), 0);
    return cell;
}

static void scene_close(struct scene *scene, struct cordon_cell *cell,
                        struct cordon_session *session)
{
    cordon_session_close(session);
    cordon_cell_close(cell);
    cordon_callback_free(scene->callback);
}

static void test_scope_of_outer_call_is_back_when_nested_one_returns(const struct harness *harness)
{
    struct scene scene = {.nests = true};
    struct cordon_session *session;
    struct cordon_cell *cell = scene_open(harness, &scene, &session);
    int numbers[4] = {1, 2, 3, 4};
    const struct cordon_value args[] = {cordon_out(numbers, 4), cordon_uint(4), cordon_uint(4),
                                        cordon_function_pointer(scene.callback)};
    scene.size = 4;
    (void)harness_call(session, scene.sort, args, 4);
    scene.calls = 0;
    /* The outer call's elements are twice as large as the nested one's. */
    int pairs[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    (void)call_sort(&scene, session, pairs, 8);
    assert_true(scene.calls >= 2);
    assert_int_equal(scene.wrong, 0);
    scene_close(&scene, cell, session);
}

static void test_batch_is_not_collected_inside_callback(const struct harness *harness)
{
    struct scene scene = {.size = 4};
    struct cordon_session *session;
    struct cordon_cell *cell = scene_open(harness, &scene, &session);
    int numbers[4] = {1, 2, 3, 4};
    const struct cordon_value args[] = {cordon_out(numbers, 4), cordon_uint(4), cordon_uint(4),
                                        cordon_function_pointer(scene.callback)};
    struct cordon_value arg = cordon_int(-3);
    struct cordon_pending *sort;
    struct cordon_pending *behind;
    struct cordon_result result;
    /* The worker knows it from here on: no later submit has to wait for what is in flight. */
    (void)harness_call(session, scene.absolute, &arg, 1);
    assert_int_equal(cordon_submit(session, scene.sort, args, 4, CORDON_DEFAULT, &sort, NULL), 0);
    assert_int_equal(cordon_submit(session, scene.absolute, &arg, 1, CORDON_DEFAULT, &behind, NULL),
                     0);
    scene.behind = behind;
    scene.pending = sort;
    cordon_flush(session);
    assert_int_equal(cordon_collect(sort, CORDON_NEVER, &result), CORDON_DONE);
    assert_int_equal(scene.collected, -EDEADLK);
    assert_int_equal(cordon_collect(behind, CORDON_NEVER, &result), CORDON_DONE);
    assert_int_equal(result.value.i, 3);
    scene_close(&scene, cell, session);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"scope_of_outer_call_is_back_when_nested_one_returns",
         test_scope_of_outer_call_is_back_when_nested_one_returns, HARNESS_ALL_LEVELS, 0, 0},
        /* Not inline: there a call has ended when it is submitted. */
        {"batch_is_not_collected_inside_callback", test_batch_is_not_collected_inside_callback,
         HARNESS_PROCESS | HARNESS_THREAD, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
