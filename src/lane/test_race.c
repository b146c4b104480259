/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lane/host.h"
#include "lane/test_peer.h"

#define RACES 3000u
#define LIES  20000u

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

static uint64_t patience(void)
{
    return clock_after_ns(20 * CLOCK_SECOND_NS);
}

static struct lane *open_small(bool private_memory)
{
    struct lane_options options = {
        .h_bytes = LANE_BYTES_MIN, .w_bytes = LANE_BYTES_MIN, .private_memory = private_memory};
    struct lane *lane = NULL;
    assert_int_equal(lane_open(&options, &lane), 0);
    return lane;
}

static uint32_t submit_add(struct lane *lane, uint64_t a)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = PEER_ADD, .words = {a, 1}};
    uint32_t seq = 0;
    assert_int_equal(lane_submit(lane, &message, CLOCK_NEVER, true, &seq), 0);
    return seq;
}

struct judge {
    struct lane *lane;
    _Atomic uint32_t seq; /* 0: not yet */
    _Atomic bool won;
    uint32_t loops;
};

static void *condemn_soon(void *context)
{
    struct judge *judge = context;
    uint32_t seq;
    while ((seq = atomic_load(&judge->seq)) == 0) {
    }
    delay(judge->loops);
    if (lane_condemn(judge->lane, LANE_DEADLINE, seq)) {
        atomic_store(&judge->won, true);
    }
    return NULL;
}

/* Returns what the blamed call ended with. */
static int race_once(uint32_t loops)
{
    struct lane *lane = open_small(true);
    struct peer peer;
    struct judge judge = {.lane = lane, .loops = loops};
    pthread_t thread;
    struct lane_event event;
    peer_start_thread(&peer, lane);
    assert_int_equal(pthread_create(&thread, NULL, condemn_soon, &judge), 0);
    uint32_t earlier = submit_add(lane, 1);
    assert_int_equal(lane_await(lane, earlier, patience(), NULL, NULL, &event), LANE_CAME);
    uint32_t seq = submit_add(lane, 2);
    atomic_store(&judge.seq, seq);
    delay(loops / 2);
    bool was_condemned = atomic_load(&judge.won);
    int result = lane_await(lane, seq, patience(), NULL, NULL, &event);
    assert_true(result == LANE_CAME || result == LANE_VERDICT);
    /* A call that was blamed before it was looked at is never done. */
    assert_false(was_condemned && result == LANE_CAME);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(atomic_load(&judge.won));
    if (result == LANE_VERDICT) {
        /* And it stays so, although the answer stands in the mail by now, or may come. */
        assert_int_equal(lane_await(lane, seq, 0, NULL, NULL, &event), LANE_VERDICT);
    }
    uint32_t refused;
    struct lane_message message = {.verb = LANE_CALL, .tag = PEER_ADD};
    assert_int_equal(lane_submit(lane, &message, CLOCK_NEVER, true, &refused), -EPIPE);
    assert_int_equal(peer_join(&peer), -ESHUTDOWN);
    lane_close(lane);
    return result;
}

static void test_answer_and_verdict_have_one_winner(void **state)
{
    (void)state;
    uint32_t seed = 11;
    uint64_t until_ns = clock_after_ns(20 * CLOCK_SECOND_NS);
    uint32_t ended[4] = {0};
    for (uint32_t i = 0; i < RACES && clock_now_ns() < until_ns; i++) {
        ended[race_once(next_random(&seed) % 4000)]++;
    }
    print_message("answers %u, verdicts %u\n", ended[LANE_CAME], ended[LANE_VERDICT]);
    assert_true(ended[LANE_CAME] + ended[LANE_VERDICT] > 0);
}

/* Two judges: one verdict. */
static void test_only_the_first_verdict_wins(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        struct lane *lane = open_small(true);
        struct judge judge = {.lane = lane, .seq = 9};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, condemn_soon, &judge), 0);
        bool mine = lane_condemn(lane, LANE_LIED, 5);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(mine != atomic_load(&judge.won));
        uint32_t blamed;
        enum lane_verdict verdict = lane_verdict(lane, &blamed, NULL);
        assert_int_equal(verdict, mine ? LANE_LIED : LANE_DEADLINE);
        assert_int_equal(blamed, mine ? 5 : 9);
        lane_close(lane);
    }
}

/* A worker that writes whatever it likes, now and then something nearly right. */
static void *lie(void *context)
{
    struct lane_worker_page *w = lane_peek_w(context);
    const struct lane_host_page *h = lane_peek_h(context);
    uint32_t seed = (uint32_t)clock_now_ns();
    while (atomic_load_explicit(&h->verdict, memory_order_relaxed) == LANE_ALIVE) {
        struct lane_mail *mail = &w->mail[next_random(&seed) % 2];
        uint32_t turn = atomic_load_explicit(&mail->turn, memory_order_relaxed);
        atomic_store(&mail->status_bytes, next_random(&seed) % 3);
        atomic_store(&mail->words[0], (uint64_t)next_random(&seed) << 40 |
                                          next_random(&seed) % (2 * LANE_BYTES_MIN));
        atomic_store(&mail->words[1], next_random(&seed) % 8);
        atomic_store(&w->worker_state, next_random(&seed) % 4);
        uint32_t step = lane_turn_step(turn) + next_random(&seed) % 8 / 7 + 1;
        atomic_store(&mail->turn, lane_turn(step, (enum lane_verb)(next_random(&seed) % 6)));
    }
    return NULL;
}

static void believe(struct lane *lane, uint32_t seq, const struct lane_event *event)
{
    assert_true(event->verb == LANE_RETURN || event->verb == LANE_CALLBACK);
    if (event->verb == LANE_RETURN) {
        assert_int_equal(event->reply_bytes, 0); /* No room was given. */
        return;
    }
    uint64_t at = (uint32_t)event->words[0];
    uint64_t bytes = event->words[0] >> 32;
    assert_true(bytes == 0 ||
                (at >= lane_callback_at(LANE_BYTES_MIN) && at + bytes <= LANE_BYTES_MIN));
    (void)lane_continue(lane, seq, &(struct lane_message){.verb = LANE_CALLBACK_RETURN});
}

static void test_liar_is_found_out_and_never_believed(void **state)
{
    (void)state;
    uint32_t caught = 0;
    for (uint32_t round = 0; round < 200; round++) {
        struct lane *lane = open_small(true);
        pthread_t liar;
        int r = LANE_CAME;
        assert_int_equal(pthread_create(&liar, NULL, lie, lane), 0);
        for (uint32_t i = 0; i < LIES && r == LANE_CAME; i++) {
            struct lane_event event = {.verb = LANE_CALLBACK};
            uint32_t seq = submit_add(lane, i);
            do {
                r = lane_await(lane, seq, patience(), NULL, NULL, &event);
                if (r == LANE_CAME) {
                    believe(lane, seq, &event);
                }
            } while (r == LANE_CAME && event.verb == LANE_CALLBACK);
            lane_collect(lane, seq);
        }
        assert_true(r == LANE_CAME || r == -EBADMSG);
        if (r == -EBADMSG) {
            assert_int_equal(lane_verdict(lane, NULL, NULL), LANE_LIED);
            caught++;
        }
        (void)lane_condemn(lane, LANE_CLOSED, 0);
        assert_int_equal(pthread_join(liar, NULL), 0);
        lane_close(lane);
    }
    assert_true(caught > 0);
}

static bool is_ready(int fd, short events)
{
    struct pollfd ready = {.fd = fd, .events = events};
    return poll(&ready, 1, 0) == 1;
}

static void test_hostile_eventfd_never_blocks_the_host(void **state)
{
    (void)state;
    struct lane_options options = {.wake = LANE_WAKE_EVENTFD};
    struct lane *lane = NULL;
    assert_int_equal(lane_open(&options, &lane), 0);
    int fd = lane_peek_event_fd(lane);
    assert_int_equal(fcntl(fd, F_SETFL, O_RDWR), 0);
    lane_drain_event(lane); /* Empty and blocking: a plain read would sleep for ever. */
    struct lane_event event;
    uint32_t seq = submit_add(lane, 1);
    assert_int_equal(lane_await(lane, seq, clock_now_ns() + 3 * CLOCK_MS_NS, NULL, NULL, &event),
                     LANE_EXPIRED);
    uint64_t full = UINT64_MAX - 1;
    assert_int_equal(write(fd, &full, sizeof full), sizeof full);
    assert_true(lane_condemn(lane, LANE_CLOSED, 0)); /* Full and blocking: neither does this. */
    assert_true(is_ready(lane_peek_bell_fd(lane), POLLIN));
    assert_false(is_ready(fd, POLLOUT));
    lane_close(lane);
}

/*
 * A look at a counter before writing to it does not help against a worker that fills it in between: what the
 * host says to itself, here of queued callbacks, goes where no worker comes.
 */
static void test_host_rings_nothing_that_a_worker_has(void **state)
{
    (void)state;
    struct lane_options options = {.wake = LANE_WAKE_EVENTFD};
    struct lane *lane = NULL;
    struct lane_event event;
    uint64_t one = 1;
    assert_int_equal(lane_open(&options, &lane), 0);
    struct lane_worker_page *w = lane_peek_w(lane);
    uint32_t seq = submit_add(lane, 1);
    atomic_store(&w->queued, 1);
    assert_int_equal(write(lane_peek_event_fd(lane), &one, sizeof one), sizeof one);
    assert_int_equal(lane_await(lane, seq, clock_now_ns() + 3 * CLOCK_MS_NS, NULL, NULL, &event),
                     LANE_EXPIRED);
    assert_true(is_ready(lane_peek_bell_fd(lane), POLLIN));
    assert_false(is_ready(lane_peek_event_fd(lane), POLLIN));
    lane_drain_event(lane);
    assert_false(is_ready(lane_peek_bell_fd(lane), POLLIN));
    lane_close(lane);
}

static void test_verdict_wakes_a_host_that_is_parked(void **state)
{
    (void)state;
    struct lane *lane = open_small(false);
    struct peer peer;
    struct lane_event event;
    peer_start_process(&peer, lane);
    struct lane_message hang = {.verb = LANE_CALL, .tag = PEER_HANG};
    uint32_t seq = 0;
    assert_int_equal(lane_submit(lane, &hang, CLOCK_NEVER, true, &seq), 0);
    struct judge judge = {.lane = lane, .seq = seq, .loops = 3000000};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, condemn_soon, &judge), 0);
    assert_int_equal(lane_await(lane, seq, patience(), NULL, NULL, &event), LANE_VERDICT);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(peer_wait(&peer), 0);
    lane_close(lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_and_verdict_have_one_winner),
        cmocka_unit_test(test_only_the_first_verdict_wins),
        cmocka_unit_test(test_liar_is_found_out_and_never_believed),
        cmocka_unit_test(test_hostile_eventfd_never_blocks_the_host),
        cmocka_unit_test(test_host_rings_nothing_that_a_worker_has),
        cmocka_unit_test(test_verdict_wakes_a_host_that_is_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
