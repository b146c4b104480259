/* SPDX-License-Identifier: Apache-2.0 */
#include "json/bytes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_base64_is_what_rfc_4648_says(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const char *plain = pairs[i][0];
        const char *coded = pairs[i][1];
        char text[16] = "";
        char bytes[16];
        size_t length;
        assert_int_equal(bytes_base64_length(strlen(plain)), strlen(coded));
        bytes_to_base64(plain, strlen(plain), text);
        assert_string_equal(text, coded);
        assert_int_equal(bytes_from_base64(coded, strlen(coded), bytes, &length, NULL), 0);
        assert_int_equal(length, strlen(plain));
        assert_memory_equal(bytes, plain, length);
    }
}

static void test_foreign_and_cut_digits_are_refused(void **state)
{
    (void)state;
    char bytes[16];
    size_t length;
    struct message why;
    assert_int_equal(bytes_from_base64("Zm9!", 4, bytes, &length, &why), -EINVAL);
    assert_non_null(strstr(why.text, "character 4"));
    assert_int_equal(bytes_from_base64("Zm9vY", 5, bytes, &length, &why), -EINVAL);
    assert_int_equal(bytes_from_hex("12g4", 4, bytes, &length, &why), -EINVAL);
    assert_non_null(strstr(why.text, "character 3"));
    assert_int_equal(bytes_from_hex("123", 3, bytes, &length, &why), -EINVAL);
}

static void test_hex_may_hold_spaces_and_both_cases(void **state)
{
    (void)state;
    char bytes[16];
    size_t length;
    assert_int_equal(bytes_from_hex("dE aD\n00", 8, bytes, &length, NULL), 0);
    assert_int_equal(length, 3);
    assert_memory_equal(bytes, "\xde\xad\x00", 3);
}

static void test_utf8_is_judged_strictly(void **state)
{
    (void)state;
    assert_true(bytes_are_utf8("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15));
    static const char *const wrong[] = {"\xff",         "\xc3",         "\xc0\xaf",
                                        "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                        "\x80",         "\xe2\x82"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(bytes_are_utf8(wrong[i], strlen(wrong[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_is_what_rfc_4648_says),
        cmocka_unit_test(test_foreign_and_cut_digits_are_refused),
        cmocka_unit_test(test_hex_may_hold_spaces_and_both_cases),
        cmocka_unit_test(test_utf8_is_judged_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
