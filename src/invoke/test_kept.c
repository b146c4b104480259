/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/kept.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void count_release(void *context, struct closure *closure)
{
    unsigned *count = context;
    (void)closure;
    ++*count;
}

static unsigned released;
static uint64_t calls;

static struct kept kept_for_test(size_t bytes_max)
{
    released = 0;
    return (struct kept){.bytes_max = bytes_max, .release = count_release, .context = &released};
}

static struct kept_item *keep(struct kept *kept, struct kept_key key, enum cordon_plan_keep mode,
                              size_t bytes)
{
    struct kept_item *fresh = NULL;
    struct kept_item *item = NULL;
    struct message why;
    assert_int_equal(kept_add(kept, &fresh, &key, mode, bytes, &item, &why), 0);
    kept_commit(kept, &fresh, ++calls);
    return item;
}

static void test_next_takes_the_place_of_the_same_parameter_and_owner(void **state)
{
    struct kept kept = kept_for_test(1000);
    struct kept_key one = {.place = &kept, .param = 1, .owner = 5};
    struct kept_key other_owner = {.place = &kept, .param = 1, .owner = 6};
    (void)state;
    (void)keep(&kept, one, CORDON_PLAN_KEEP_NEXT, 100);
    (void)keep(&kept, other_owner, CORDON_PLAN_KEEP_NEXT, 100);
    struct kept_item *second = keep(&kept, one, CORDON_PLAN_KEEP_NEXT, 100);
    assert_int_equal(kept.bytes, 300); /* the first is doomed, not freed */
    kept_reap(&kept);
    assert_int_equal(kept.bytes, 200);
    assert_ptr_equal(kept_find(&kept, &one), second);
    kept_deinit(&kept);
}

static void test_items_of_one_call_do_not_replace_each_other(void **state)
{
    struct kept kept = kept_for_test(1000);
    struct kept_key key = {.place = &kept, .param = 1};
    struct kept_item *fresh = NULL;
    struct kept_item *item;
    struct message why;
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kept_add(&kept, &fresh, &key, CORDON_PLAN_KEEP_NEXT, 10, &item, &why), 0);
    }
    kept_commit(&kept, &fresh, ++calls);
    kept_reap(&kept);
    assert_int_equal(kept.bytes, 30);
    (void)keep(&kept, key, CORDON_PLAN_KEEP_NEXT, 1);
    kept_reap(&kept);
    assert_int_equal(kept.bytes, 1);
    kept_deinit(&kept);
}

static void test_release_mode_ends_with_its_handle(void **state)
{
    struct kept kept = kept_for_test(1000);
    struct kept_key mine = {.place = &kept, .param = 1, .owner = 64 + 5};
    struct kept_key same_bucket = {.place = &kept, .param = 1, .owner = 5};
    (void)state;
    (void)keep(&kept, mine, CORDON_PLAN_KEEP_RELEASE, 10);
    (void)keep(&kept, mine, CORDON_PLAN_KEEP_RELEASE, 10);
    (void)keep(&kept, same_bucket, CORDON_PLAN_KEEP_RELEASE, 7);
    kept_end(&kept, mine.owner);
    kept_reap(&kept);
    assert_int_equal(kept.bytes, 7);
    kept_deinit(&kept);
}

static void test_call_that_never_ran_keeps_what_was_before(void **state)
{
    struct kept kept = kept_for_test(1000);
    struct kept_key key = {.place = &kept, .param = 1};
    struct kept_item *fresh = NULL;
    struct kept_item *item;
    struct message why;
    (void)state;
    struct kept_item *first = keep(&kept, key, CORDON_PLAN_KEEP_NEXT, 10);
    assert_int_equal(kept_add(&kept, &fresh, &key, CORDON_PLAN_KEEP_NEXT, 20, &item, &why), 0);
    kept_drop(&kept, &fresh);
    assert_int_equal(kept.bytes, 10);
    assert_ptr_equal(kept_find(&kept, &key), first);
    kept_deinit(&kept);
}

static void test_limit_counts_what_outlives_calls_and_is_named(void **state)
{
    struct kept kept = kept_for_test(100);
    struct kept_key key = {.place = &kept, .param = 1};
    struct kept_item *fresh = NULL;
    struct kept_item *item;
    struct message why;
    (void)state;
    assert_int_equal(kept_add(&kept, &fresh, &key, CORDON_PLAN_KEEP_CALL, 500, &item, &why), 0);
    assert_int_equal(kept_add(&kept, &fresh, &key, CORDON_PLAN_KEEP_SESSION, 100, &item, &why), 0);
    assert_int_equal(kept_add(&kept, &fresh, &key, CORDON_PLAN_KEEP_SESSION, 1, &item, &why),
                     -E2BIG);
    assert_non_null(strstr(why.text, "LIMIT_KEPT_BYTES"));
    kept_drop(&kept, &fresh);
    assert_int_equal(kept.bytes, 0);
    kept_deinit(&kept);
}

static void test_closure_is_held_once_and_released_at_the_end(void **state)
{
    struct kept kept = kept_for_test(100);
    struct kept_key key = {.place = &kept, .param = 1, .owner = 9};
    struct closure *closure = (struct closure *)(void *)&kept; /* a name only */
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct kept_item *fresh = NULL;
        struct kept_item *item;
        struct message why;
        assert_int_equal(kept_add(&kept, &fresh, &key, CORDON_PLAN_KEEP_RELEASE, 0, &item, &why),
                         0);
        item->closure = closure;
        kept_commit(&kept, &fresh, ++calls);
        assert_int_equal(released, i);
    }
    kept_end(&kept, 9);
    kept_reap(&kept);
    assert_int_equal(released, 3);
    kept_deinit(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_takes_the_place_of_the_same_parameter_and_owner),
        cmocka_unit_test(test_items_of_one_call_do_not_replace_each_other),
        cmocka_unit_test(test_release_mode_ends_with_its_handle),
        cmocka_unit_test(test_call_that_never_ran_keeps_what_was_before),
        cmocka_unit_test(test_limit_counts_what_outlives_calls_and_is_named),
        cmocka_unit_test(test_closure_is_held_once_and_released_at_the_end),
    };
    return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
