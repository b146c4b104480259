/* SPDX-License-Identifier: Apache-2.0 */

/* Backoff: doubles, stays below its bound, jitters by a quarter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"

#define MS 1000000ull

static void test_doubles_up_to_the_bound(void **state)
{
    (void)state;
    static const uint64_t pauses_ms[] = {10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000};
    struct backoff backoff = {0};
    uint64_t now = 1000 * MS;
    assert_int_equal(backoff_wait_ns(&backoff, now), 0);
    for (size_t i = 0; i < sizeof pauses_ms / sizeof pauses_ms[0]; i++) {
        uint64_t pause = pauses_ms[i] * MS;
        struct backoff shortest = backoff;
        struct backoff longest = backoff;
        backoff_fail(&shortest, now, 0);
        backoff_fail(&longest, now, (uint32_t)(pause / 2 % UINT32_MAX));
        assert_int_equal(backoff_wait_ns(&shortest, now), pause - pause / 4);
        assert_int_equal(backoff_wait_ns(&longest, now), pause + pause / 4);
        backoff = longest;
    }
}

static void test_ends(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    backoff_fail(&backoff, 0, 0);
    assert_int_equal(backoff_wait_ns(&backoff, 7500000 - 1), 1);
    assert_int_equal(backoff_wait_ns(&backoff, 7500000), 0);
    backoff_reset(&backoff);
    assert_int_equal(backoff_wait_ns(&backoff, 0), 0);
    assert_int_equal(backoff.failures, 0);
}

static void test_stays_bounded_for_ever(void **state)
{
    (void)state;
    struct backoff backoff = {.failures = UINT32_MAX};
    backoff_fail(&backoff, 0, UINT32_MAX);
    assert_in_range(backoff_wait_ns(&backoff, 0), 3750 * MS, 6250 * MS);
    assert_int_equal(backoff.failures, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_bound),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_stays_bounded_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
