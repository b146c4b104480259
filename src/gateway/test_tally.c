/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/tally.h"

static void test_buckets_grow_by_less_than_a_fifth(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < TALLY_BUCKETS; i++) {
        uint64_t before = tally_bucket_ns(i - 1);
        uint64_t here = tally_bucket_ns(i);
        assert_true(here > before);
        assert_true((double)here / (double)before < 1.2);
    }
    assert_true(tally_bucket_ns(TALLY_BUCKETS - 1) > 60ull * 1000000000ull);
}

static void test_every_time_lies_in_its_bucket(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns < 60ull * 1000000000ull; ns = ns * 9 / 8 + 1) {
        struct tally tally = {0};
        tally_add(&tally, 0, ns);
        uint64_t quantile = tally_quantile(&tally, 500);
        assert_true(quantile >= ns);
        assert_true(ns <= TALLY_FIRST_NS || (double)quantile / (double)ns < 1.2);
    }
}

static void test_quantiles_are_of_all_that_came(void **state)
{
    struct tally tally = {0};
    (void)state;
    assert_int_equal(tally_quantile(&tally, 990), 0);
    for (int i = 0; i < 990; i++) {
        tally_add(&tally, 0, 10000);
    }
    for (int i = 0; i < 10; i++) {
        tally_add(&tally, 2, 1000000000);
    }
    assert_in_range(tally_quantile(&tally, 500), 10000, 12000);
    assert_in_range(tally_quantile(&tally, 990), 10000, 12000);
    assert_in_range(tally_quantile(&tally, 991), 1000000000, 1200000000);
    assert_int_equal(tally.ended[0], 990);
    assert_int_equal(tally.ended[2], 10);
    assert_int_equal(tally.count, 1000);
}

static void test_what_is_no_outcome_is_an_error(void **state)
{
    struct tally tally = {0};
    (void)state;
    tally_add(&tally, -22, 5);
    tally_add(&tally, 8, 5);
    tally_add(&tally, 7, 5);
    assert_int_equal(tally.errors, 2);
    assert_int_equal(tally.ended[7], 1);
}

static void test_far_beyond_the_last_bucket(void **state)
{
    struct tally tally = {0};
    (void)state;
    tally_add(&tally, 0, UINT64_MAX);
    assert_int_equal(tally.buckets[TALLY_BUCKETS - 1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_grow_by_less_than_a_fifth),
        cmocka_unit_test(test_every_time_lies_in_its_bucket),
        cmocka_unit_test(test_quantiles_are_of_all_that_came),
        cmocka_unit_test(test_what_is_no_outcome_is_an_error),
        cmocka_unit_test(test_far_beyond_the_last_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
