/* SPDX-License-Identifier: Apache-2.0 */
/* When an answer is expected: functions that take alike, that do not, and that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lane/expectation.h"

#define US 1000u

static bool is_expected(const struct lane_expectation *expectation)
{
    uint64_t from_ns;
    uint64_t until_ns;
    return lane_expect(expectation, 0, &from_ns, &until_ns);
}

static void learn_often(struct lane_expectation *expectation, uint64_t took_ns, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        lane_expect_learn(expectation, took_ns, false);
    }
}

static void test_calls_that_take_alike_are_expected(void **state)
{
    (void)state;
    struct lane_expectation expectation = {0};
    uint64_t from_ns;
    uint64_t until_ns;
    learn_often(&expectation, 245 * US, LANE_EXPECT_TRUST);
    assert_false(is_expected(&expectation));
    learn_often(&expectation, 245 * US, 1);
    assert_true(lane_expect(&expectation, 7 * US, &from_ns, &until_ns));
    assert_in_range(from_ns, 7 * US, 7 * US + 245 * US - LANE_EXPECT_LEAD_NS);
    assert_in_range(until_ns, 7 * US + 245 * US, 7 * US + 300 * US);
}

static void test_short_ones_are_looked_for_from_the_begin_on(void **state)
{
    (void)state;
    struct lane_expectation expectation = {0};
    uint64_t from_ns;
    uint64_t until_ns;
    learn_often(&expectation, 60 * US, 8);
    assert_true(lane_expect(&expectation, 7 * US, &from_ns, &until_ns));
    assert_int_equal(from_ns, 7 * US);
}

static void test_one_that_is_late_is_forgiven_two_are_not(void **state)
{
    (void)state;
    struct lane_expectation expectation = {0};
    learn_often(&expectation, 245 * US, 20);
    learn_often(&expectation, 900 * US, 1);
    assert_true(is_expected(&expectation));
    assert_in_range(expectation.ns, 240 * US, 250 * US);
    learn_often(&expectation, 900 * US, 1);
    assert_false(is_expected(&expectation));
}

static void test_functions_that_take_now_so_now_so_are_not_expected(void **state)
{
    (void)state;
    struct lane_expectation expectation = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        learn_often(&expectation, i % 2 ? 245 * US : 50 * US, 1);
        assert_false(is_expected(&expectation));
    }
}

static void test_who_was_woken_had_the_answer_late(void **state)
{
    (void)state;
    struct lane_expectation woken = {0};
    lane_expect_learn(&woken, 280 * US, true);
    assert_int_equal(woken.ns, 250 * US);
}

static void test_long_calls_are_not_expected(void **state)
{
    (void)state;
    struct lane_expectation expectation = {0};
    learn_often(&expectation, 2 * (uint64_t)LANE_EXPECT_MOST_NS, 20);
    assert_false(is_expected(&expectation));
    learn_often(&expectation, UINT64_MAX, 20);
    assert_false(is_expected(&expectation));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_that_take_alike_are_expected),
        cmocka_unit_test(test_short_ones_are_looked_for_from_the_begin_on),
        cmocka_unit_test(test_one_that_is_late_is_forgiven_two_are_not),
        cmocka_unit_test(test_functions_that_take_now_so_now_so_are_not_expected),
        cmocka_unit_test(test_who_was_woken_had_the_answer_late),
        cmocka_unit_test(test_long_calls_are_not_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
