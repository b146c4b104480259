/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "lane/host.h"
#include "lane/test_peer.h"

/* Long enough for a loaded machine; a test that waits for it has failed. */
static uint64_t patience(void)
{
    return clock_after_ns(20 * CLOCK_SECOND_NS);
}

static struct lane *open_lane(enum lane_wake wake, bool private_memory)
{
    struct lane_options options = {.wake = wake, .private_memory = private_memory};
    struct lane *lane = NULL;
    assert_int_equal(lane_open(&options, &lane), 0);
    return lane;
}

static struct lane_message add(uint64_t a, uint64_t b)
{
    return (struct lane_message){.verb = LANE_CALL, .tag = PEER_ADD, .words = {a, b}};
}

static uint32_t submit(struct lane *lane, const struct lane_message *message, bool ring)
{
    uint32_t seq = 0;
    assert_int_equal(lane_submit(lane, message, CLOCK_NEVER, ring, &seq), 0);
    return seq;
}

static struct lane_event await(struct lane *lane, uint32_t seq)
{
    struct lane_event event;
    assert_int_equal(lane_await(lane, seq, patience(), NULL, NULL, &event), LANE_CAME);
    return event;
}

static uint64_t call_add(struct lane *lane, uint64_t a, uint64_t b)
{
    struct lane_message message = add(a, b);
    uint32_t seq = submit(lane, &message, true);
    struct lane_event event = await(lane, seq);
    assert_int_equal(event.verb, LANE_RETURN);
    lane_collect(lane, seq);
    return event.words[0];
}

static void round_trips(struct lane *lane, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(call_add(lane, i, 2 * i), 3 * i);
    }
}

static void batches(struct lane *lane, uint32_t count)
{
    for (uint32_t batch = 0; batch < count; batch++) {
        uint32_t seqs[LANE_SLOTS];
        struct lane_message message;
        for (uint32_t i = 0; i < LANE_SLOTS; i++) {
            message = add(batch, i);
            seqs[i] = submit(lane, &message, false);
        }
        uint32_t refused;
        assert_int_equal(lane_submit(lane, &message, CLOCK_NEVER, false, &refused), -EAGAIN);
        lane_ring(lane);
        for (uint32_t i = 0; i < LANE_SLOTS; i++) {
            assert_int_equal(await(lane, seqs[i]).words[0], batch + i);
        }
        /* Newest first: slots come free in any order. */
        for (uint32_t i = LANE_SLOTS; i > 0; i--) {
            lane_collect(lane, seqs[i - 1]);
        }
    }
}

/* Answer a PEER_NEST callback: go deeper by a nested call while there are levels, then return. */
static uint64_t answer_nest(struct lane *lane, uint32_t seq, const struct lane_event *event)
{
    assert_int_equal(event->verb, LANE_CALLBACK);
    assert_int_equal(event->tag, 7);
    assert_int_equal(event->words[1] >> 32, 1);
    uint64_t levels = event->words[2];
    uint64_t value = 1;
    if (levels > 1) {
        struct lane_message call = {.verb = LANE_CALL, .tag = PEER_NEST, .words = {levels - 1}};
        assert_int_equal(lane_continue(lane, seq, &call), 0);
        struct lane_event inner = await(lane, seq);
        value += answer_nest(lane, seq, &inner);
    }
    struct lane_message answer = {.verb = LANE_CALLBACK_RETURN, .words = {value}};
    assert_int_equal(lane_continue(lane, seq, &answer), 0);
    struct lane_event returned = await(lane, seq);
    assert_int_equal(returned.verb, LANE_RETURN);
    return returned.words[0];
}

static void nesting(struct lane *lane)
{
    struct lane_message call = {.verb = LANE_CALL, .tag = PEER_NEST, .words = {LIMIT_DEPTH}};
    uint32_t seq = submit(lane, &call, true);
    struct lane_message behind = add(20, 22);
    uint32_t next = submit(lane, &behind, true);
    struct lane_event event = await(lane, seq);
    assert_int_equal(answer_nest(lane, seq, &event), LIMIT_DEPTH);
    assert_int_equal(await(lane, next).words[0], 42);
    lane_collect(lane, seq);
    lane_collect(lane, next);
}

static void bytes_both_ways(struct lane *lane, uint32_t bytes)
{
    struct lane_room room;
    assert_int_equal(lane_room_new(lane, bytes, bytes, &room), 0);
    for (uint32_t i = 0; i < bytes; i++) {
        lane_room_h(lane, &room)[i] = (uint8_t)(i * 7);
    }
    struct lane_message call = {
        .verb = LANE_CALL_BYTES,
        .tag = PEER_REVERSE,
        .words = {lane_place(room.h_at, bytes), lane_place(room.w_at, bytes)}};
    uint32_t seq = submit(lane, &call, true);
    struct lane_event event = await(lane, seq);
    assert_int_equal(event.reply_bytes, bytes);
    assert_int_equal(event.tag, EAGAIN);
    assert_int_equal(event.status, -3);
    for (uint32_t i = 0; i < bytes; i++) {
        assert_int_equal(lane_room_w(lane, &room)[i], (uint8_t)((bytes - 1 - i) * 7));
    }
    lane_collect(lane, seq);
    lane_room_free(lane, &room);
}

static void callback_bytes(struct lane *lane)
{
    struct lane_message call = {.verb = LANE_CALL, .tag = PEER_ASK_BYTES, .words = {200}};
    uint32_t seq = submit(lane, &call, true);
    struct lane_event event = await(lane, seq);
    assert_int_equal(event.verb, LANE_CALLBACK);
    uint32_t at = (uint32_t)event.words[0];
    uint32_t bytes = (uint32_t)(event.words[0] >> 32);
    assert_int_equal(bytes, 200);
    struct lane_room room;
    assert_int_equal(lane_room_new(lane, bytes, 0, &room), 0);
    uint64_t sum = 0;
    const uint8_t *frame = (const uint8_t *)lane_peek_w(lane) + at;
    for (uint32_t i = 0; i < bytes; i++) {
        assert_int_equal(frame[i], i);
        lane_room_h(lane, &room)[i] = (uint8_t)(i + 1);
        sum += i + 1;
    }
    struct lane_message answer = {.verb = LANE_CALLBACK_RETURN,
                                  .words = {[LANE_WORDS - 1] = lane_place(room.h_at, bytes)},
                                  .status_bytes = (uint64_t)5 << 32 | bytes};
    assert_int_equal(lane_continue(lane, seq, &answer), 0);
    event = await(lane, seq);
    assert_int_equal(event.words[0], sum);
    assert_int_equal(event.status, 5);
    lane_collect(lane, seq);
    lane_room_free(lane, &room);
}

static void converse(struct lane *lane)
{
    round_trips(lane, 2000);
    batches(lane, 20);
    nesting(lane);
    bytes_both_ways(lane, 1000);
    bytes_both_ways(lane, 1u << 20);
    callback_bytes(lane);
    round_trips(lane, 100);
}

static void converse_with_thread(enum lane_wake wake, bool private_memory)
{
    struct lane *lane = open_lane(wake, private_memory);
    struct peer peer;
    peer_start_thread(&peer, lane);
    converse(lane);
    assert_true(lane_condemn(lane, LANE_CLOSED, 0));
    assert_int_equal(peer_join(&peer), -ESHUTDOWN);
    lane_close(lane);
}

static void converse_with_process(enum lane_wake wake)
{
    struct lane *lane = open_lane(wake, false);
    struct peer peer;
    peer_start_process(&peer, lane);
    converse(lane);
    assert_true(lane_condemn(lane, LANE_CLOSED, 0));
    assert_int_equal(peer_wait(&peer), 0);
    lane_close(lane);
}

static void test_thread_answers_calls_batches_and_nested_calls(void **state)
{
    (void)state;
    converse_with_thread(LANE_WAKE_FUTEX, true);
    converse_with_thread(LANE_WAKE_FUTEX, false);
}

static void test_thread_answers_a_host_that_sleeps_on_an_eventfd(void **state)
{
    (void)state;
    converse_with_thread(LANE_WAKE_EVENTFD, true);
}

static void test_process_answers_calls_batches_and_nested_calls(void **state)
{
    (void)state;
    converse_with_process(LANE_WAKE_FUTEX);
}

static void test_process_answers_a_host_that_sleeps_on_an_eventfd(void **state)
{
    (void)state;
    converse_with_process(LANE_WAKE_EVENTFD);
}

static void test_event_loop_collects_a_batch_as_it_finishes(void **state)
{
    (void)state;
    struct lane *lane = open_lane(LANE_WAKE_EVENTFD, false);
    struct peer peer;
    peer_start_process(&peer, lane);
    for (uint32_t i = 0; i < LANE_SLOTS; i++) {
        struct lane_message message = add(i, 1);
        (void)submit(lane, &message, false);
    }
    lane_ring(lane);
    uint64_t sum = 0;
    for (uint32_t left = LANE_SLOTS; left > 0;) {
        struct pollfd readable = {.fd = lane_peek_event_fd(lane), .events = POLLIN};
        assert_int_equal(poll(&readable, 1, 20000), 1);
        lane_drain_event(lane);
        uint32_t seq;
        while (lane_any(lane, &seq) == 0) {
            struct lane_event event;
            assert_int_equal(lane_await(lane, seq, 0, NULL, NULL, &event), LANE_CAME);
            sum += event.words[0];
            lane_collect(lane, seq);
            left--;
        }
    }
    assert_int_equal(sum, LANE_SLOTS * (LANE_SLOTS + 1) / 2);
    assert_true(lane_condemn(lane, LANE_CLOSED, 0));
    assert_int_equal(peer_wait(&peer), 0);
    lane_close(lane);
}

static int count_and_stop_at_two(void *context)
{
    uint32_t *checks = context;
    return ++*checks == 2 ? -ECANCELED : 0;
}

static void test_wait_ends_at_its_time_or_by_its_check(void **state)
{
    (void)state;
    struct lane *lane = open_lane(LANE_WAKE_FUTEX, false);
    struct lane_message message = add(1, 2);
    uint32_t seq = submit(lane, &message, true); /* There is no worker. */
    struct lane_event event;
    assert_int_equal(lane_await(lane, seq, 0, NULL, NULL, &event), LANE_EXPIRED);
    uint64_t began_ns = clock_now_ns();
    assert_int_equal(lane_await(lane, seq, began_ns + 5 * CLOCK_MS_NS, NULL, NULL, &event),
                     LANE_EXPIRED);
    assert_true(clock_now_ns() - began_ns >= 5 * CLOCK_MS_NS);
    uint32_t checks = 0;
    assert_int_equal(lane_await(lane, seq, CLOCK_NEVER, count_and_stop_at_two, &checks, &event),
                     -ECANCELED);
    assert_int_equal(checks, 2);
    assert_int_equal(lane_any(lane, &seq), -EAGAIN);
    lane_close(lane);
}

static void *take_one(void *context)
{
    struct lane_order order;
    struct lane_end *end = context;
    int r = lane_end_take(end, false, &order);
    if (r == 0) {
        lane_end_return(end, true, 0, 0, order.words, 1, 0);
    }
    return NULL;
}

/* A worker in this process, which sleeps on the next mail when this returns: it has parked, and slept. */
static void start_sleeper(struct lane *lane, struct lane_end *end, pthread_t *ret_thread)
{
    struct lane_worker_page *w = lane_peek_w(lane);
    assert_int_equal(pthread_create(ret_thread, NULL, take_one, end), 0);
    while (atomic_load(&w->worker_state) != LANE_WORKER_PARKED) {
        (void)poll(NULL, 0, 1);
    }
    (void)poll(NULL, 0,
               30); /* from the mark to its sleep; too short a time would only be lenient */
}

static void init_end(struct lane *lane, struct lane_end *end)
{
    struct lane_host_page *h = lane_peek_h(lane);
    assert_int_equal(lane_end_init(end, h, h->h_bytes, lane_peek_w(lane), h->w_bytes, -1), 0);
    end->is_thread = true; /* sleeps long: nothing but a wake-up helps */
    end->spin_limit = 0;
}

static void test_ring_wakes_a_worker_that_had_served_calls_unasked(void **state)
{
    (void)state;
    struct lane *lane = open_lane(LANE_WAKE_FUTEX, true);
    struct lane_end end;
    struct lane_message message = add(1, 1);
    pthread_t worker;
    init_end(lane, &end);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t served = submit(lane, &message, false);
        (void)take_one(&end);
        assert_int_equal(await(lane, served).words[0], 1);
        if (i != 1) {
            lane_collect(lane, served); /* one of them stays: taken, not collected */
        }
    }
    start_sleeper(lane, &end, &worker);
    uint32_t seq = submit(lane, &message, false);
    lane_ring(lane);
    assert_int_equal(await(lane, seq).words[0], 1);
    assert_int_equal(pthread_join(worker, NULL), 0);
    assert_int_equal(end.counts.park_timeouts, 0);
    lane_close(lane);
}

static void test_wait_wakes_a_worker_that_nobody_rang_for(void **state)
{
    (void)state;
    struct lane *lane = open_lane(LANE_WAKE_FUTEX, true);
    struct lane_end end;
    struct lane_message message = add(1, 1);
    pthread_t worker;
    init_end(lane, &end);
    start_sleeper(lane, &end, &worker);
    assert_int_equal(await(lane, submit(lane, &message, false)).words[0], 1);
    assert_int_equal(pthread_join(worker, NULL), 0);
    lane_close(lane);
}

static void test_call_is_unbegun_only_if_a_parked_worker_is_gone(void **state)
{
    (void)state;
    struct lane *lane = open_lane(LANE_WAKE_FUTEX, true);
    struct lane_host_page *h = lane_peek_h(lane);
    struct lane_worker_page *w = lane_peek_w(lane);
    struct lane_message message = add(1, 1);
    uint32_t seq = submit(lane, &message, true);
    uint32_t sent = atomic_load(&w->mail[0].turn);
    atomic_store(&w->worker_state, LANE_WORKER_PARKED);
    assert_false(lane_unbegun(lane, seq)); /* alive */
    assert_true(lane_condemn(lane, LANE_DIED, seq));
    assert_false(lane_unbegun(lane, seq)); /* it may be about to begin */
    atomic_store(&h->gone, 1);
    assert_true(lane_unbegun(lane, seq));
    atomic_store(&w->worker_state, LANE_WORKER_RUNNING);
    assert_false(lane_unbegun(lane, seq));
    atomic_store(&w->worker_state, LANE_WORKER_PARKED);
    atomic_store(&w->mail[0].turn, sent + (1u << 4));
    assert_false(lane_unbegun(lane, seq));
    lane_close(lane);
}

static void test_open_refuses_sizes_that_are_no_lane(void **state)
{
    (void)state;
    struct lane *lane = NULL;
    struct lane_options odd = {.h_bytes = LANE_BYTES_MIN + 1};
    assert_int_equal(lane_open(&odd, &lane), -EINVAL);
    struct lane_options small = {.w_bytes = LANE_PAGE};
    assert_int_equal(lane_open(&small, &lane), -EINVAL);
    assert_null(lane);
    lane_close(NULL);
}

int main(void)
{
    /* Processes first: they are forked while there is one thread only. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process_answers_calls_batches_and_nested_calls),
        cmocka_unit_test(test_process_answers_a_host_that_sleeps_on_an_eventfd),
        cmocka_unit_test(test_event_loop_collects_a_batch_as_it_finishes),
        cmocka_unit_test(test_thread_answers_calls_batches_and_nested_calls),
        cmocka_unit_test(test_thread_answers_a_host_that_sleeps_on_an_eventfd),
        cmocka_unit_test(test_wait_ends_at_its_time_or_by_its_check),
        cmocka_unit_test(test_ring_wakes_a_worker_that_had_served_calls_unasked),
        cmocka_unit_test(test_wait_wakes_a_worker_that_nobody_rang_for),
        cmocka_unit_test(test_call_is_unbegun_only_if_a_parked_worker_is_gone),
        cmocka_unit_test(test_open_refuses_sizes_that_are_no_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
