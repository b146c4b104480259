/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those above. */
#include <cmocka.h>

#include "gateway/gateway_limits.h"
#include "gateway/pace.h"

static void test_pace_believes_short_times_sooner_than_long_ones(void **state)
{
    struct pace down = {0};
    struct pace up = {0};
    (void)state;
    pace_note(&down, 100000, 1);
    pace_note(&up, 2000, 1);
    assert_int_equal(down.call_ns, 100000);
    for (int i = 0; i < 8; i++) {
        pace_note(&down, 2000, 1);
        pace_note(&up, 100000, 1);
    }
    assert_true(down.call_ns < 14000);
    assert_true(up.call_ns < 45000);
}

static void test_pace_shares_what_calls_behind_each_other_took(void **state)
{
    struct pace pace = {0};
    (void)state;
    pace_note(&pace, 40000, 16);
    assert_int_equal(pace.call_ns, 2500);
}

static void test_pace_is_known_even_if_calls_take_no_time(void **state)
{
    struct pace pace = {0};
    (void)state;
    pace_note(&pace, 0, 1);
    assert_int_equal(pace.call_ns, 1);
    for (int i = 0; i < 100; i++) {
        pace_note(&pace, 0, 16);
    }
    assert_int_equal(pace.call_ns, 1);
}

/* What is looked for in vain, for ever, takes a bounded share of the time. */
static void test_pace_purse_bounds_looking_in_vain(void **state)
{
    struct pace pace = {0};
    uint64_t spent_ns = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        if (pace_may_look(&pace)) {
            pace_looked(&pace, false, GATEWAY_LOOK_NS);
            spent_ns += GATEWAY_LOOK_NS;
        }
        pace_came(&pace);
    }
    assert_true(spent_ns > 0);
    assert_true(spent_ns <= 1000 * 1000);
}

static void test_pace_one_success_pays_for_the_next_look(void **state)
{
    struct pace pace = {0};
    (void)state;
    while (!pace_may_look(&pace)) {
        pace_came(&pace);
    }
    pace_looked(&pace, true, 2000);
    pace_looked(&pace, false, GATEWAY_LOOK_NS);
    assert_true(pace_may_look(&pace));
    pace_looked(&pace, false, UINT64_MAX);
    assert_false(pace_may_look(&pace));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pace_believes_short_times_sooner_than_long_ones),
        cmocka_unit_test(test_pace_shares_what_calls_behind_each_other_took),
        cmocka_unit_test(test_pace_is_known_even_if_calls_take_no_time),
        cmocka_unit_test(test_pace_purse_bounds_looking_in_vain),
        cmocka_unit_test(test_pace_one_success_pays_for_the_next_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
