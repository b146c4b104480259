/* SPDX-License-Identifier: Apache-2.0 */
#include "json/number.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int parse(uint8_t kind, const char *text, uint64_t *ret_word)
{
    struct cordon_plan_type type = {.kind = kind};
    struct message why;
    return number_parse(NULL, &type, text, ret_word, &why);
}

static void test_integers_keep_all_digits(void **state)
{
    (void)state;
    uint64_t word;
    assert_int_equal(parse(CORDON_PLAN_U64, "18446744073709551615", &word), 0);
    assert_true(word == UINT64_MAX);
    assert_int_equal(parse(CORDON_PLAN_I64, "-9223372036854775808", &word), 0);
    assert_true((int64_t)word == INT64_MIN);
    assert_int_equal(parse(CORDON_PLAN_U32, "0xffffffff", &word), 0);
    assert_true(word == UINT32_MAX);
    assert_int_equal(parse(CORDON_PLAN_I8, "-128", &word), 0);
    assert_true((int64_t)word == -128);
}

static void test_integers_beyond_their_type_are_refused(void **state)
{
    (void)state;
    uint64_t word;
    assert_int_equal(parse(CORDON_PLAN_U64, "18446744073709551616", &word), -EINVAL);
    assert_int_equal(parse(CORDON_PLAN_I64, "9223372036854775808", &word), -EINVAL);
    assert_int_equal(parse(CORDON_PLAN_U8, "256", &word), -EINVAL);
    assert_int_equal(parse(CORDON_PLAN_I8, "-129", &word), -EINVAL);
    assert_int_equal(parse(CORDON_PLAN_U32, "-1", &word), -EINVAL);
    assert_int_equal(parse(CORDON_PLAN_BOOL, "2", &word), -EINVAL);
}

static void test_what_is_no_integer_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "-", "+", " 1", "1 ", "1.5", "0x", "1e3", "abc", "--1"};
    uint64_t word;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(parse(CORDON_PLAN_I32, wrong[i], &word), -EINVAL);
    }
}

static void test_floating_point_takes_whole_and_special_numbers(void **state)
{
    (void)state;
    uint64_t word;
    double number = 0;
    assert_int_equal(parse(CORDON_PLAN_F64, "3", &word), 0);
    memcpy(&number, &word, sizeof number);
    assert_true(number == 3.0);
    assert_int_equal(parse(CORDON_PLAN_F64, "-inf", &word), 0);
    memcpy(&number, &word, sizeof number);
    assert_true(number < 0 && number * 2 == number);
    assert_int_equal(parse(CORDON_PLAN_F64, "1e999", &word), -EINVAL);
    assert_int_equal(parse(CORDON_PLAN_F32, "1e39", &word), -EINVAL);
    assert_int_equal(parse(CORDON_PLAN_F64, "1.5x", &word), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_keep_all_digits),
        cmocka_unit_test(test_integers_beyond_their_type_are_refused),
        cmocka_unit_test(test_what_is_no_integer_is_refused),
        cmocka_unit_test(test_floating_point_takes_whole_and_special_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
