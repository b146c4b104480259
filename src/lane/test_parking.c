/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Built with parks that last longer than anybody here waits (LANE_PARK_FIRST_NS): a wake-up that comes late, as on
 * a busy machine, is waited for; one that is lost ends the wait, and the test. No number of either is allowed for.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lane/host.h"
#include "lane/test_peer.h"
#include "lane/wait.h"

#define PARK_TRIPS  100000u
#define PATIENCE_NS (20 * CLOCK_SECOND_NS)
#define STOP        99u

_Static_assert(LANE_PARK_FIRST_NS > PATIENCE_NS, "a lost wake-up is nobody's time-out");

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void delay(uint32_t loops)
{
    for (volatile uint32_t i = 0; i < loops; i++) {
    }
}

static struct lane *open_small(void)
{
    const struct lane_options options = {
        .h_bytes = LANE_BYTES_MIN, .w_bytes = LANE_BYTES_MIN, .private_memory = true};
    struct lane *lane = NULL;
    assert_int_equal(lane_open(&options, &lane), 0);
    return lane;
}

static uint32_t submit(struct lane *lane, uint32_t tag, uint64_t a)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = tag, .words = {a, 1}};
    uint32_t seq = 0;
    assert_int_equal(lane_submit(lane, &message, CLOCK_NEVER, true, &seq), 0);
    return seq;
}

static void *serve_with_delays(void *context)
{
    struct lane_end *end = context;
    struct lane_order order;
    uint32_t seed = 7;
    while (lane_end_take(end, false, &order) == 0) {
        if (order.tag == STOP) {
            break;
        }
        delay(next_random(&seed) % 300);
        end->spin_limit = next_random(&seed) % 4 == 0 ? LANE_PURSE_START_NS : 0;
        uint64_t sum = order.words[0] + order.words[1];
        lane_end_return(end, true, 0, 0, &sum, 1, 0);
    }
    return NULL;
}

static void test_no_wake_up_is_lost_between_spinning_and_parking(void **state)
{
    (void)state;
    struct lane *lane = open_small();
    struct lane_host_page *h = lane_peek_h(lane);
    struct lane_end end;
    pthread_t worker;
    uint32_t seed = 3;
    assert_int_equal(lane_end_init(&end, h, h->h_bytes, lane_peek_w(lane), h->w_bytes, -1), 0);
    assert_int_equal(pthread_create(&worker, NULL, serve_with_delays, &end), 0);
    uint64_t until_ns = clock_after_ns(30 * CLOCK_SECOND_NS);
    uint32_t trips = 0;
    while (trips < PARK_TRIPS && clock_now_ns() < until_ns) {
        struct lane_event event;
        uint32_t seq = submit(lane, PEER_ADD, trips);
        assert_int_equal(lane_await(lane, seq, clock_after_ns(PATIENCE_NS), NULL, NULL, &event),
                         LANE_CAME);
        assert_int_equal(event.words[0], trips + 1);
        lane_collect(lane, seq);
        delay(next_random(&seed) % 300);
        trips++;
    }
    /* On a machine with other work to do, what could be done in the time. */
    assert_true(trips >= PARK_TRIPS / 100);
    (void)submit(lane, STOP, 0);
    assert_int_equal(pthread_join(worker, NULL), 0);
    print_message("%u round trips, %lu and %lu parks\n", trips,
                  (unsigned long)lane_peek_counts(lane).parks, (unsigned long)end.counts.parks);
    assert_int_equal(lane_peek_counts(lane).park_timeouts, 0);
    assert_int_equal(end.counts.park_timeouts, 0);
    assert_true(end.counts.parks > 0 && lane_peek_counts(lane).parks > 0);
    lane_close(lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_wake_up_is_lost_between_spinning_and_parking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
