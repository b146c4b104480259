/* SPDX-License-Identifier: Apache-2.0 */

/* Breaker: every state with every event; the window; probes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/breaker.h"

#define SECOND 1000000000ull

static const struct breaker_options options = {
    .percent = 50, .samples = 20, .window_ns = 10 * SECOND, .cool_down_ns = SECOND, .probes = 3};

static void tell(struct breaker *breaker, uint64_t now_ns, enum breaker_event event, bool probe,
                 int times)
{
    for (int i = 0; i < times; i++) {
        breaker_tell(breaker, &options, now_ns, event, probe);
    }
}

static int ask(struct breaker *breaker, uint64_t now_ns)
{
    uint64_t wait_ns;
    return breaker_ask(breaker, &options, now_ns, &wait_ns);
}

static struct breaker opened_at(uint64_t now_ns)
{
    struct breaker breaker = {0};
    tell(&breaker, now_ns, BREAKER_FAILED, false, 20);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    return breaker;
}

static struct breaker half_open_at(uint64_t now_ns)
{
    struct breaker breaker = opened_at(now_ns - SECOND);
    assert_int_equal(ask(&breaker, now_ns), BREAKER_PROBE);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    return breaker;
}

static void test_opens_at_ratio_and_samples(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    tell(&breaker, SECOND, BREAKER_FAILED, false, 19);
    assert_int_equal(breaker.state, BREAKER_CLOSED); /* too few samples */
    assert_int_equal(ask(&breaker, SECOND), BREAKER_PASS);
    tell(&breaker, SECOND, BREAKER_FAILED, false, 1);
    assert_int_equal(breaker.state, BREAKER_OPEN);

    breaker = (struct breaker){0};
    tell(&breaker, SECOND, BREAKER_SUCCEEDED, false, 21);
    tell(&breaker, SECOND, BREAKER_FAILED, false, 20);
    assert_int_equal(breaker.state, BREAKER_CLOSED); /* 20 of 41 are less than half */
    tell(&breaker, SECOND, BREAKER_FAILED, false, 1);
    assert_int_equal(breaker.state, BREAKER_OPEN); /* 21 of 42 */
    assert_int_equal(breaker.opened, 1);
}

static void test_window_slides(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    tell(&breaker, 5 * SECOND, BREAKER_FAILED, false, 19);
    assert_false(breaker_is_quiet(&breaker, &options, 5 * SECOND));
    assert_false(breaker_is_quiet(&breaker, &options, 14 * SECOND));
    assert_true(breaker_is_quiet(&breaker, &options, 15 * SECOND));
    tell(&breaker, 15 * SECOND, BREAKER_FAILED, false, 1);
    assert_int_equal(breaker.state, BREAKER_CLOSED);

    breaker = (struct breaker){0};
    tell(&breaker, 5 * SECOND, BREAKER_FAILED, false, 19);
    tell(&breaker, 14 * SECOND, BREAKER_FAILED, false, 1);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void test_open_refuses_until_cooled_down(void **state)
{
    (void)state;
    struct breaker breaker = opened_at(10 * SECOND);
    uint64_t wait_ns = 0;
    assert_int_equal(breaker_ask(&breaker, &options, 10 * SECOND + SECOND / 4, &wait_ns),
                     BREAKER_REFUSE);
    assert_int_equal(wait_ns, SECOND - SECOND / 4);
    assert_int_equal(ask(&breaker, 11 * SECOND - 1), BREAKER_REFUSE);
    assert_int_equal(ask(&breaker, 11 * SECOND), BREAKER_PROBE);
    assert_false(breaker_is_quiet(&breaker, &options, 100 * SECOND));
}

static void test_open_ignores_calls_of_before(void **state)
{
    (void)state;
    struct breaker breaker = opened_at(10 * SECOND);
    struct breaker before = breaker;
    tell(&breaker, 10 * SECOND, BREAKER_SUCCEEDED, false, 100);
    tell(&breaker, 10 * SECOND, BREAKER_FAILED, false, 100);
    tell(&breaker, 10 * SECOND, BREAKER_VOID, false, 100);
    assert_memory_equal(&breaker, &before, sizeof breaker);
}

static void test_half_open_closes_after_good_probes(void **state)
{
    (void)state;
    uint64_t now = 20 * SECOND;
    struct breaker breaker = half_open_at(now);
    assert_int_equal(ask(&breaker, now), BREAKER_PROBE);
    assert_int_equal(ask(&breaker, now), BREAKER_PROBE);
    assert_int_equal(ask(&breaker, now), BREAKER_REFUSE); /* three are out */
    tell(&breaker, now, BREAKER_SUCCEEDED, false, 5);     /* none of them */
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    tell(&breaker, now, BREAKER_SUCCEEDED, true, 2);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_int_equal(ask(&breaker, now), BREAKER_REFUSE);
    tell(&breaker, now, BREAKER_SUCCEEDED, true, 1);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_true(breaker_is_quiet(&breaker, &options, now)); /* the old failures are forgotten */
    assert_int_equal(ask(&breaker, now), BREAKER_PASS);
}

static void test_half_open_opens_at_a_bad_probe(void **state)
{
    (void)state;
    uint64_t now = 20 * SECOND;
    struct breaker breaker = half_open_at(now);
    tell(&breaker, now, BREAKER_FAILED, false, 1); /* a call of before */
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    tell(&breaker, now, BREAKER_FAILED, true, 1);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker.opened, 2);
    assert_int_equal(ask(&breaker, now + SECOND - 1), BREAKER_REFUSE);
    assert_int_equal(ask(&breaker, now + SECOND), BREAKER_PROBE);
}

static void test_probes_that_say_nothing_make_room(void **state)
{
    (void)state;
    uint64_t now = 20 * SECOND;
    struct breaker breaker = half_open_at(now);
    assert_int_equal(ask(&breaker, now), BREAKER_PROBE);
    assert_int_equal(ask(&breaker, now), BREAKER_PROBE);
    tell(&breaker, now, BREAKER_VOID, true, 1);
    assert_int_equal(ask(&breaker, now), BREAKER_PROBE);
    uint64_t wait_ns = 0;
    assert_int_equal(breaker_ask(&breaker, &options, now, &wait_ns), BREAKER_REFUSE);
    assert_int_equal(wait_ns, SECOND);
    assert_int_equal(ask(&breaker, now + SECOND), BREAKER_PROBE); /* the others are lost */
}

static void test_states_have_names(void **state)
{
    (void)state;
    assert_string_equal(breaker_state_name(BREAKER_CLOSED), "closed");
    assert_string_equal(breaker_state_name(BREAKER_OPEN), "open");
    assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half-open");
    assert_string_equal(breaker_state_name(BREAKER_STATE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_at_ratio_and_samples),
        cmocka_unit_test(test_window_slides),
        cmocka_unit_test(test_open_refuses_until_cooled_down),
        cmocka_unit_test(test_open_ignores_calls_of_before),
        cmocka_unit_test(test_half_open_closes_after_good_probes),
        cmocka_unit_test(test_half_open_opens_at_a_bad_probe),
        cmocka_unit_test(test_probes_that_say_nothing_make_room),
        cmocka_unit_test(test_states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
