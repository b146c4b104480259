/* SPDX-License-Identifier: Apache-2.0 */

/* A lane from the memories that a stranger sent; and a host that asks for no ringing while it is awake. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/memfd.h"
#include "lane/host.h"
#include "lane/test_peer.h"

#define NO_FD 100000

static uint64_t patience(void)
{
    return clock_after_ns(20 * CLOCK_SECOND_NS);
}

static struct lane *open_lane(enum lane_wake wake)
{
    struct lane_options options = {.wake = wake};
    struct lane *lane = NULL;
    assert_int_equal(lane_open(&options, &lane), 0);
    return lane;
}

static uint32_t submit(struct lane *lane, uint32_t tag)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = tag, .words = {40, 2}};
    uint32_t seq = 0;
    assert_int_equal(lane_submit(lane, &message, CLOCK_NEVER, true, &seq), 0);
    return seq;
}

static uint64_t await(struct lane *lane, uint32_t seq)
{
    struct lane_event event;
    assert_int_equal(lane_await(lane, seq, patience(), NULL, NULL, &event), LANE_CAME);
    return event.words[0];
}

/* ---- Memories that somebody sent --------------------------------------------------------------- */

static void test_calls_are_served_on_a_lane_that_was_opened_again(void **state)
{
    (void)state;
    struct lane *lane = open_lane(LANE_WAKE_EVENTFD);
    struct lane *again = NULL;
    struct peer peer;
    uint32_t h_bytes = 0;
    uint32_t w_bytes = 0;
    assert_int_equal(lane_open_again(lane_peek_h_fd(lane), lane_peek_w_fd(lane),
                                     lane_peek_event_fd(lane), lane_peek_bell_fd(lane), &again),
                     0);
    lane_peek_sizes(again, &h_bytes, &w_bytes);
    assert_int_equal(h_bytes, LANE_H_BYTES_DEFAULT);
    assert_int_equal(w_bytes, LANE_W_BYTES_DEFAULT);
    assert_ptr_not_equal(lane_peek_h(again), lane_peek_h(lane));
    assert_int_not_equal(lane_peek_event_fd(again), lane_peek_event_fd(lane));
    peer_start_thread(&peer, again);
    for (int i = 0; i < 100; i++) {
        uint32_t seq = submit(lane, PEER_ADD);
        assert_int_equal(await(lane, seq), 42);
        lane_collect(lane, seq);
    }
    assert_true(lane_condemn(again, LANE_CLOSED, 0));
    assert_int_equal(peer_join(&peer), -ESHUTDOWN);
    /* The first of the two hears the verdict of the second. */
    struct pollfd bell = {.fd = lane_peek_bell_fd(lane), .events = POLLIN};
    assert_int_equal(poll(&bell, 1, 20000), 1);
    lane_close(again);
    lane_close(lane);
}

static int memory(uint64_t bytes, int seals)
{
    int fd = -1;
    assert_int_equal(memfd_new("test", bytes, seals, &fd), 0);
    return fd;
}

static int lowest_free(int fd)
{
    OWN_FD lowest = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    assert_true(lowest >= 0);
    return lowest;
}

/* As H and as W: @expected, and nothing stays open. */
static void refuse(int fd, int expected)
{
    OWN_FD good = memory(LANE_BYTES_MIN, F_SEAL_SHRINK | F_SEAL_GROW);
    OWN_FD bell = memory(LANE_BYTES_MIN, 0);
    struct lane *lane = NULL;
    int lowest = lowest_free(bell);
    assert_int_equal(lane_open_again(fd, good, -1, bell, &lane), expected);
    assert_int_equal(lane_open_again(good, fd, -1, bell, &lane), expected);
    assert_null(lane);
    assert_int_equal(lowest_free(bell), lowest);
    (void)close(fd);
}

static void test_what_is_no_lanes_memory_is_refused(void **state)
{
    (void)state;
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    refuse(ends[0], -EBADMSG);
    (void)close(ends[1]);
    refuse(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), -EBADMSG);
    refuse(memory(LANE_BYTES_MIN, 0), -EBADMSG);
    refuse(memory(LANE_BYTES_MIN, F_SEAL_SHRINK), -EBADMSG);
    refuse(memory(LANE_BYTES_MIN, F_SEAL_GROW), -EBADMSG);
    refuse(memory(0, seals), -EBADMSG);
    refuse(memory(LANE_BYTES_MIN - LANE_PAGE, seals), -EBADMSG);
    refuse(memory(LANE_BYTES_MIN + 1, seals), -EBADMSG);
    refuse(memory((1ull << 32) + LANE_BYTES_MIN, seals), -EBADMSG);
    /* A lane's, and nobody can be served there. */
    refuse(memory(LANE_BYTES_MIN, seals | F_SEAL_FUTURE_WRITE), -EPERM);
}

static void test_eventfds_of_a_lane_that_is_opened_again_have_to_be_there(void **state)
{
    (void)state;
    struct lane *lane = open_lane(LANE_WAKE_FUTEX);
    struct lane *again = NULL;
    OWN_FD bell = memory(LANE_BYTES_MIN, 0);
    int h = lane_peek_h_fd(lane);
    int w = lane_peek_w_fd(lane);
    assert_int_equal(lane_open_again(h, w, -1, NO_FD, &again), -EBADF);
    assert_int_equal(lane_open_again(h, w, NO_FD, bell, &again), -EBADF);
    assert_null(again);
    assert_int_equal(lane_open_again(h, w, -1, bell, &again), 0);
    assert_int_equal(lane_peek_event_fd(again), -1);
    lane_close(again);
    lane_close(lane);
}

/* ---- Ringing ----------------------------------------------------------------------------------- */

static bool has_rung(const struct lane *lane)
{
    struct pollfd event = {.fd = lane_peek_event_fd(lane), .events = POLLIN};
    return poll(&event, 1, 0) == 1;
}

static void look_until_something_came(struct lane *lane)
{
    uint64_t until_ns = patience();
    uint32_t seq = 0;
    while (lane_any(lane, &seq) != 0) {
        assert_true(clock_now_ns() < until_ns);
        (void)sched_yield();
    }
}

static void test_answers_ring_only_for_a_host_that_wants_it(void **state)
{
    (void)state;
    struct lane *lane = open_lane(LANE_WAKE_EVENTFD);
    struct peer peer;
    assert_false(lane_set_ringing(lane, true)); /* nothing in flight */
    assert_false(lane_set_ringing(lane, false));
    uint32_t seq = submit(lane, PEER_ADD);
    assert_false(lane_set_ringing(lane, true)); /* nobody is there to answer */
    assert_false(lane_set_ringing(lane, false));
    peer_start_process(&peer, lane);
    look_until_something_came(lane);
    assert_false(has_rung(lane));
    assert_true(lane_set_ringing(lane, true)); /* who sleeps now would sleep for ever */
    assert_int_equal(await(lane, seq), 42);
    assert_true(lane_set_ringing(lane, true)); /* taken, not collected */
    lane_collect(lane, seq);
    assert_false(lane_set_ringing(lane, true));
    seq = submit(lane, PEER_ADD);
    struct pollfd event = {.fd = lane_peek_event_fd(lane), .events = POLLIN};
    assert_int_equal(poll(&event, 1, 20000), 1);
    assert_int_equal(await(lane, seq), 42);
    lane_collect(lane, seq);
    assert_true(lane_condemn(lane, LANE_CLOSED, 0));
    assert_int_equal(peer_wait(&peer), 0);
    lane_close(lane);
}

static void test_quiet_host_that_waits_is_rung_and_stays_quiet(void **state)
{
    (void)state;
    struct lane *lane = open_lane(LANE_WAKE_EVENTFD);
    struct lane_event event;
    struct peer peer;
    assert_false(lane_set_ringing(lane, false));
    uint32_t seq = submit(lane, PEER_ADD);
    assert_int_equal(lane_await(lane, seq, clock_after_ns(30 * CLOCK_MS_NS), NULL, NULL, &event),
                     LANE_EXPIRED);
    peer_start_process(&peer, lane);
    assert_int_equal(await(lane, seq), 42);
    lane_collect(lane, seq);
    lane_drain_event(lane);
    seq = submit(lane, PEER_ADD);
    look_until_something_came(lane);
    assert_false(has_rung(lane));
    assert_int_equal(await(lane, seq), 42);
    lane_collect(lane, seq);
    assert_true(lane_condemn(lane, LANE_CLOSED, 0));
    assert_int_equal(peer_wait(&peer), 0);
    lane_close(lane);
}

static void test_lane_that_wakes_by_futex_has_no_ringing(void **state)
{
    (void)state;
    struct lane *lane = open_lane(LANE_WAKE_FUTEX);
    (void)submit(lane, PEER_ADD);
    assert_false(lane_set_ringing(lane, true));
    assert_false(lane_set_ringing(lane, false));
    lane_close(lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_are_served_on_a_lane_that_was_opened_again),
        cmocka_unit_test(test_what_is_no_lanes_memory_is_refused),
        cmocka_unit_test(test_eventfds_of_a_lane_that_is_opened_again_have_to_be_there),
        cmocka_unit_test(test_answers_ring_only_for_a_host_that_wants_it),
        cmocka_unit_test(test_quiet_host_that_waits_is_rung_and_stays_quiet),
        cmocka_unit_test(test_lane_that_wakes_by_futex_has_no_ringing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
