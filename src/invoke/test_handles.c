/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/handles.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#define TAG       7u
#define OTHER_TAG 8u

static uint32_t ended_count;
static uint64_t ended_last;

static void note_ended(void *context, uint64_t word, void *resident)
{
    (void)context;
    (void)resident;
    ended_count++;
    ended_last = word;
}

static struct handles *handles_for_test(uint32_t max)
{
    struct handles *handles;
    ended_count = 0;
    assert_int_equal(handles_new(max, note_ended, NULL, &handles), 0);
    return handles;
}

static uint64_t add(struct handles *handles, void *object, uint64_t owner)
{
    struct handle_object what = {.object = object, .name = "thing", .tag = TAG, .owner = owner};
    struct message why;
    uint64_t word = 0;
    assert_int_equal(handles_add(handles, &what, &word, &why), 0);
    assert_true(word != 0);
    return word;
}

static int get(struct handles *handles, uint64_t word, uint32_t tag, struct message *why)
{
    const struct handle_object *what;
    return handles_get(handles, word, tag, "thing", &what, why);
}

static void test_ended_handle_is_stale_when_its_index_is_used_again(void **state)
{
    (void)state;
    struct handles *handles = handles_for_test(4);
    struct message why;
    int a;
    int b;
    uint64_t first = add(handles, &a, 0);
    assert_int_equal(handles_end(handles, first), 0);
    uint64_t second = add(handles, &b, 0);
    assert_int_equal((uint32_t)first, (uint32_t)second);
    assert_int_equal(get(handles, first, TAG, &why), -ESTALE);
    assert_non_null(strstr(why.text, "has ended"));
    assert_int_equal(get(handles, second, TAG, &why), 0);
    assert_int_equal(handles_end(handles, first), -ESTALE);
    handles_free(handles);
}

static void test_handle_of_another_type_is_refused_by_both_names(void **state)
{
    (void)state;
    struct handles *handles = handles_for_test(4);
    struct message why;
    int a;
    uint64_t word = add(handles, &a, 0);
    assert_int_equal(get(handles, word, OTHER_TAG, &why), -EINVAL);
    assert_non_null(strstr(why.text, "thing"));
    assert_int_equal(get(handles, 0x7fffffff00000009ull, TAG, &why), -ESTALE);
    handles_free(handles);
}

static void test_borrowed_handles_end_with_their_owner_however_deep(void **state)
{
    (void)state;
    struct handles *handles = handles_for_test(1024);
    struct message why;
    char objects[600];
    uint64_t words[600];
    words[0] = add(handles, &objects[0], 0);
    for (int i = 1; i < 600; i++) {
        words[i] = add(handles, &objects[i], i % 3 ? words[i - 1] : words[0]);
    }
    int stranger;
    uint64_t other = add(handles, &stranger, 0);
    assert_int_equal(handles_end(handles, words[0]), 0);
    assert_int_equal(ended_count, 600);
    assert_true(ended_last == words[0]);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(get(handles, words[i], TAG, &why), -ESTALE);
    }
    assert_int_equal(get(handles, other, TAG, &why), 0);
    handles_free(handles);
}

static void test_every_handle_of_an_object_ends_with_the_object(void **state)
{
    (void)state;
    struct handles *handles = handles_for_test(8);
    struct message why;
    int a;
    uint64_t first = add(handles, &a, 0);
    uint64_t second = add(handles, &a, 0);
    assert_int_equal(handles_end(handles, second), 0);
    assert_int_equal(get(handles, first, TAG, &why), -ESTALE);
    handles_free(handles);
}

static void test_find_tells_owners_and_tags_apart(void **state)
{
    (void)state;
    struct handles *handles = handles_for_test(8);
    int a;
    int b;
    uint64_t none = 0;
    assert_true(handles_find(handles, &a, TAG, NULL) == 0);
    uint64_t owner = add(handles, &a, 0);
    uint64_t borrowed = add(handles, &b, owner);
    assert_true(handles_find(handles, &b, TAG, &owner) == borrowed);
    assert_true(handles_find(handles, &b, TAG, &none) == 0);
    assert_true(handles_find(handles, &b, TAG, NULL) == borrowed);
    assert_true(handles_find(handles, &b, OTHER_TAG, NULL) == 0);
    handles_free(handles);
}

static void test_limit_is_reached_and_named(void **state)
{
    (void)state;
    struct handles *handles = handles_for_test(100);
    struct handle_object what = {.name = "thing", .tag = TAG};
    struct message why;
    uint64_t word;
    char objects[101];
    for (int i = 0; i < 100; i++) {
        (void)add(handles, &objects[i], 0);
    }
    what.object = &objects[100];
    assert_int_equal(handles_add(handles, &what, &word, &why), -E2BIG);
    assert_non_null(strstr(why.text, "LIMIT_HANDLES"));
    assert_int_equal(handles_end(handles, handles_find(handles, &objects[3], TAG, NULL)), 0);
    assert_int_equal(handles_add(handles, &what, &word, &why), 0);
    handles_free(handles);
}

static void test_borrowing_from_an_ended_handle_is_refused(void **state)
{
    (void)state;
    struct handles *handles = handles_for_test(8);
    struct message why;
    int a;
    uint64_t word = add(handles, &a, 0);
    struct handle_object what = {.object = &why, .name = "thing", .tag = TAG, .owner = word};
    assert_int_equal(handles_end(handles, word), 0);
    assert_int_equal(handles_add(handles, &what, &word, &why), -ESTALE);
    handles_free(handles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ended_handle_is_stale_when_its_index_is_used_again),
        cmocka_unit_test(test_handle_of_another_type_is_refused_by_both_names),
        cmocka_unit_test(test_borrowed_handles_end_with_their_owner_however_deep),
        cmocka_unit_test(test_every_handle_of_an_object_ends_with_the_object),
        cmocka_unit_test(test_find_tells_owners_and_tags_apart),
        cmocka_unit_test(test_limit_is_reached_and_named),
        cmocka_unit_test(test_borrowing_from_an_ended_handle_is_refused),
    };
    return cmocka_run_group_tests_name("handles", tests, NULL, NULL);
}
