/* SPDX-License-Identifier: Apache-2.0 */
/* How long the first look waits, for functions that answer always alike, now so and now so, or late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lane/patience.h"

#define WAITS 20000u

struct tally {
    uint32_t early;
    uint32_t late_pauses;
};

/* One wait for an answer that takes @took pauses. */
static void wait_for(struct lane_patience *patience, uint32_t took, struct tally *tally)
{
    uint32_t pauses = lane_patience_begin(patience);
    assert_true(pauses <= LANE_PATIENCE_MOST);
    uint32_t first = pauses > 0 ? pauses : 1;
    uint32_t looks = took <= first ? 1 : took - first + 1;
    tally->early += took > first;
    tally->late_pauses += took < first ? first - took : 0;
    lane_patience_end(patience, pauses, looks <= 64 ? looks : 0);
}

static struct tally wait_often(uint32_t (*takes)(uint32_t wait))
{
    struct lane_patience patience = {0};
    struct tally tally = {0};
    for (uint32_t i = 0; i < WAITS; i++) {
        wait_for(&patience, takes(i), &tally);
    }
    return tally;
}

static uint32_t takes_eight(uint32_t wait)
{
    (void)wait;
    return 8;
}

static uint32_t takes_four_or_twenty(uint32_t wait)
{
    return (wait * 2654435761u >> 20) % 10 < 7 ? 4 : 20;
}

static uint32_t takes_a_hundred(uint32_t wait)
{
    (void)wait;
    return 100;
}

static uint32_t changes_its_mind(uint32_t wait)
{
    return wait / 1000 % 2 ? 3 : 25;
}

static void test_same_time_is_met(void **state)
{
    (void)state;
    struct tally tally = wait_often(takes_eight);
    assert_true(tally.early < WAITS / 4); /* samples, and one in nine */
    assert_true(tally.late_pauses < WAITS / 4);
}

static void test_nobody_waits_as_for_the_slow_ones(void **state)
{
    (void)state;
    struct tally tally = wait_often(takes_four_or_twenty);
    assert_true(tally.late_pauses < WAITS / 2);
}

static void test_late_answers_are_looked_for_at_once(void **state)
{
    (void)state;
    struct tally tally = wait_often(takes_a_hundred);
    assert_int_equal(tally.early, WAITS);
    assert_int_equal(tally.late_pauses, 0);
}

static void test_what_has_become_quicker_is_found_out(void **state)
{
    (void)state;
    struct tally tally = wait_often(changes_its_mind);
    /* Two rounds of samples after each change, at most. */
    assert_true(tally.late_pauses <
                WAITS / 1000 * 25 * 2 * LANE_PATIENCE_EACH * LANE_PATIENCE_SAMPLES);
    assert_true(tally.early < WAITS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_time_is_met),
        cmocka_unit_test(test_nobody_waits_as_for_the_slow_ones),
        cmocka_unit_test(test_late_answers_are_looked_for_at_once),
        cmocka_unit_test(test_what_has_become_quicker_is_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
