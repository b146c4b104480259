/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker says of its own crash, and what a host makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "lane/alarm.h"
#include "lane/host.h"
#include "lane/test_peer.h"
#include "lane/worker.h"

struct scene {
    struct lane *lane;
    struct lane_end end;
    struct lane_event event;
};

static void open_scene(struct scene *scene)
{
    assert_int_equal(peer_open_both(&scene->lane, &scene->end), 0);
}

static uint32_t submit(struct scene *scene)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = 1};
    uint32_t seq = 0;
    assert_int_equal(lane_submit(scene->lane, &message, CLOCK_NEVER, true, &seq), 0);
    return seq;
}

static void take(struct scene *scene)
{
    struct lane_order order;
    assert_int_equal(lane_end_take(&scene->end, false, &order), 0);
}

static int look(struct scene *scene, uint32_t seq)
{
    return lane_await(scene->lane, seq, 0, NULL, NULL, &scene->event);
}

static void test_crash_inside_of_a_call_is_told_and_ends_the_lane(void **state)
{
    (void)state;
    struct scene scene;
    struct lane_death death;
    uint32_t blamed = 0;
    open_scene(&scene);
    uint32_t seq = submit(&scene);
    uint32_t behind = submit(&scene);
    take(&scene);
    lane_end_alarm(&scene.end, SIGSEGV, START_ALARM_ADDRESS | START_ALARM_WRITING, 0x10);
    assert_int_equal(look(&scene, seq), LANE_CAME);
    assert_int_equal(scene.event.verb, LANE_ALARM);
    alarm_describe(scene.event.words[0] >> 32, scene.event.words[0], scene.event.words[1], &death);
    assert_true(lane_condemn_crashed(scene.lane, seq, &death));
    assert_false(lane_condemn(scene.lane, LANE_CLOSED, 0));
    memset(&death, 0, sizeof death);
    assert_int_equal(lane_verdict(scene.lane, &blamed, &death), LANE_DIED);
    assert_int_equal(blamed, seq);
    assert_int_equal(death.code, CLD_KILLED);
    assert_int_equal(death.status, SIGSEGV);
    assert_string_equal(death.text, "segmentation fault writing address 0x10");
    assert_int_equal(look(&scene, seq), LANE_VERDICT);
    assert_int_equal(look(&scene, behind), LANE_VERDICT);
    lane_close(scene.lane);
}

/* The word is the host's then: what would be written there is no alarm, but a lie. */
static void test_crash_outside_of_a_call_is_not_told(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    lane_end_alarm(&scene.end, SIGSEGV, 0, 0);
    uint32_t seq = submit(&scene);
    lane_end_alarm(&scene.end, SIGSEGV, 0, 0);
    assert_int_equal(look(&scene, seq), LANE_EXPIRED);
    take(&scene);
    lane_end_callback(&scene.end, 1, NULL, 0, NULL, 0, 0);
    lane_end_alarm(&scene.end, SIGSEGV, 0, 0);
    assert_int_equal(look(&scene, seq), LANE_CAME);
    assert_int_equal(scene.event.verb, LANE_CALLBACK);
    struct lane_message answer = {.verb = LANE_CALLBACK_RETURN};
    assert_int_equal(lane_continue(scene.lane, seq, &answer), 0);
    struct lane_order order;
    assert_int_equal(lane_end_take(&scene.end, true, &order), 0);
    lane_end_return(&scene.end, true, 0, 0, NULL, 0, 0);
    lane_end_alarm(&scene.end, SIGSEGV, 0, 0);
    assert_int_equal(look(&scene, seq), LANE_CAME);
    assert_int_equal(scene.event.verb, LANE_RETURN);
    lane_close(scene.lane);
}

static void test_what_a_liar_says_is_a_death_like_any_other(void **state)
{
    (void)state;
    static const uint64_t signals[] = {0, 65, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct lane_death death;
        memset(&death, 0xff, sizeof death);
        alarm_describe(signals[i], UINT64_MAX, UINT64_MAX, &death);
        assert_int_equal(death.code, CLD_KILLED);
        assert_int_equal(death.status, 0);
        assert_string_equal(death.text, "it reported a crash without a signal");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_inside_of_a_call_is_told_and_ends_the_lane),
        cmocka_unit_test(test_crash_outside_of_a_call_is_not_told),
        cmocka_unit_test(test_what_a_liar_says_is_a_death_like_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
