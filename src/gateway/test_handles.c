/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/handles.h"

/* Houses are told apart by their place alone. */
static const char places[2];
#define HOUSE(i) ((const struct house *)(const void *)&places[i])

static struct cordon_handle handle(uint32_t index)
{
    return (struct cordon_handle){.worker = 7, .generation = 1, .index = index, .tag = 3};
}

static void test_an_object_keeps_its_name(void **state)
{
    struct handles handles;
    char first[HANDLES_NAME_BYTES];
    char again[HANDLES_NAME_BYTES];
    char other[HANDLES_NAME_BYTES];
    struct cordon_handle found;
    (void)state;
    handles_init(&handles, 100);
    assert_int_equal(handles_name(&handles, HOUSE(0), handle(1), first), 0);
    assert_int_equal(handles_name(&handles, HOUSE(0), handle(1), again), 0);
    assert_int_equal(handles_name(&handles, HOUSE(0), handle(2), other), 0);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    assert_int_equal(handles_find(&handles, HOUSE(0), other, sizeof other, &found, NULL), 0);
    assert_int_equal(found.index, 2);
    handles_deinit(&handles);
}

static void test_other_houses_and_strangers_know_nothing(void **state)
{
    struct handles mine;
    struct handles theirs;
    char name[HANDLES_NAME_BYTES];
    struct cordon_handle found;
    struct message why;
    (void)state;
    handles_init(&mine, 100);
    handles_init(&theirs, 100);
    assert_int_equal(handles_name(&mine, HOUSE(0), handle(1), name), 0);
    assert_int_equal(handles_find(&mine, HOUSE(1), name, sizeof name, &found, &why), -EINVAL);
    assert_int_equal(handles_find(&theirs, HOUSE(0), name, sizeof name, &found, &why), -ESTALE);
    handles_forget(&mine, HOUSE(0), handle(1));
    assert_int_equal(handles_find(&mine, HOUSE(0), name, sizeof name, &found, &why), -ESTALE);
    handles_deinit(&mine);
    handles_deinit(&theirs);
}

static void test_what_is_no_name_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "h:",
                                        "h:0123456789abcdef0123456789abcde",
                                        "h:0123456789abcdef0123456789abcdef0",
                                        "x:0123456789abcdef0123456789abcdef",
                                        "h:0123456789ABCDEF0123456789abcdef",
                                        "h:0123456789abcdef0123456789abcdeg"};
    struct handles handles;
    struct cordon_handle found;
    struct message why;
    (void)state;
    handles_init(&handles, 100);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(handles_find(&handles, HOUSE(0), wrong[i], strlen(wrong[i]), &found, &why),
                         -EINVAL);
    }
    handles_deinit(&handles);
}

static void test_there_are_so_many_and_no_more(void **state)
{
    struct handles handles;
    char name[HANDLES_NAME_BYTES];
    (void)state;
    handles_init(&handles, 20);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(handles_name(&handles, HOUSE(i % 2), handle(i), name), 0);
    }
    assert_int_equal(handles_name(&handles, HOUSE(0), handle(99), name), -ENOBUFS);
    handles_forget_house(&handles, HOUSE(1));
    assert_int_equal(handles.count, 10);
    for (uint32_t i = 0; i < 20; i += 2) {
        assert_int_equal(handles_name(&handles, HOUSE(0), handle(i), name), 0);
    }
    assert_int_equal(handles.count, 10);
    handles_deinit(&handles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_object_keeps_its_name),
        cmocka_unit_test(test_other_houses_and_strangers_know_nothing),
        cmocka_unit_test(test_what_is_no_name_is_refused),
        cmocka_unit_test(test_there_are_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
