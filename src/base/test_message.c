/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/message.h"

static void test_set_formats_and_returns_the_error(void **state)
{
    (void)state;
    struct message why;
    assert_int_equal(message_set(&why, -22, "argument %d", 3), -22);
    assert_string_equal(why.text, "argument 3");
    message_add(&why, ": %s", "too large");
    assert_string_equal(why.text, "argument 3: too large");
}

static void test_set_accepts_no_message(void **state)
{
    (void)state;
    assert_int_equal(message_set(NULL, -5, "x"), -5);
    message_add(NULL, "y");
}

static void test_foreign_text_is_cut_and_cleaned(void **state)
{
    (void)state;
    struct message why;
    message_set_foreign(&why, "a\x1b[31m\xff\xc3\xa4", 9);
    assert_string_equal(why.text, "a?[31m?\xc3\xa4");
    char large[MESSAGE_BYTES * 2];
    memset(large, 'x', sizeof large);
    message_set_foreign(&why, large, sizeof large);
    assert_true(strlen(why.text) < MESSAGE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_formats_and_returns_the_error),
        cmocka_unit_test(test_set_accepts_no_message),
        cmocka_unit_test(test_foreign_text_is_cut_and_cleaned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
