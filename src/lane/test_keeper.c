/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lane/host.h"
#include "lane/keeper.h"
#include "lane/test_peer.h"

struct bench {
    struct lane *lane;
    struct lane_ward ward;
    struct lane_end end; /* The worker's side, in this thread. */
};

static void set_up(struct bench *bench, enum lane_wake wake)
{
    struct lane_options options = {.wake = wake};
    assert_int_equal(lane_open(&options, &bench->lane), 0);
    assert_int_equal(lane_ward_open(&bench->ward, lane_peek_h_fd(bench->lane),
                                    lane_peek_w_fd(bench->lane), lane_peek_bell_fd(bench->lane)),
                     0);
    peer_map(&bench->end, bench->lane);
}

static void tear_down(struct bench *bench)
{
    (void)munmap((void *)(uintptr_t)bench->end.h, bench->end.h_bytes);
    (void)munmap(bench->end.w, bench->end.w_bytes);
    lane_ward_close(&bench->ward);
    lane_close(bench->lane);
}

static uint32_t submit(struct bench *bench, uint64_t deadline_ns)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = PEER_ADD, .words = {1, 2}};
    uint32_t seq = 0;
    assert_int_equal(lane_submit(bench->lane, &message, deadline_ns, true, &seq), 0);
    return seq;
}

static void answer(struct bench *bench)
{
    struct lane_order order;
    assert_int_equal(lane_end_take(&bench->end, false, &order), 0);
    uint64_t sum = order.words[0] + order.words[1];
    lane_end_return(&bench->end, true, 0, 0, &sum, 1, 0);
}

static int look(struct bench *bench, uint32_t seq)
{
    struct lane_event event;
    return lane_await(bench->lane, seq, 0, NULL, NULL, &event);
}

static void test_ward_seals_h_so_that_nobody_else_can_write_it(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, LANE_WAKE_FUTEX);
    int h_fd = lane_peek_h_fd(bench.lane);
    assert_ptr_equal(mmap(NULL, LANE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, h_fd, 0),
                     MAP_FAILED);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(h_fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    tear_down(&bench);
}

static void test_ward_refuses_what_is_no_lane(void **state)
{
    (void)state;
    struct lane_ward ward;
    struct lane_options options = {0};
    struct lane *lane = NULL;
    assert_int_equal(lane_open(&options, &lane), 0);
    /* W lacks no seal, but is no H; H lacks F_SEAL_SEAL, and so is no W. */
    assert_int_equal(lane_ward_open(&ward, lane_peek_w_fd(lane), lane_peek_w_fd(lane), -1),
                     -EBADMSG);
    assert_int_equal(lane_ward_open(&ward, lane_peek_h_fd(lane), lane_peek_h_fd(lane), -1),
                     -EBADMSG);
    assert_int_equal(lane_ward_open(&ward, 0, 0, -1), -EBADMSG);
    lane_close(lane);
}

static void test_overdue_names_the_late_call_and_when_to_look_again(void **state)
{
    (void)state;
    struct bench bench;
    uint32_t late;
    uint64_t next_ns;
    set_up(&bench, LANE_WAKE_FUTEX);
    assert_false(lane_ward_overdue(&bench.ward, 100, &late, &next_ns));
    assert_true(next_ns == CLOCK_NEVER);
    assert_true(lane_needs_watch(bench.lane, 1000));
    uint32_t first = submit(&bench, 1000);
    uint32_t second = submit(&bench, 500);
    (void)submit(&bench, CLOCK_NEVER);
    assert_false(lane_ward_overdue(&bench.ward, 100, &late, &next_ns));
    assert_int_equal(next_ns, 500);
    assert_false(lane_needs_watch(bench.lane, 700));
    assert_true(lane_needs_watch(bench.lane, 300));
    assert_true(lane_ward_overdue(&bench.ward, 500, &late, &next_ns));
    assert_int_equal(late, second);
    answer(&bench);
    answer(&bench);
    assert_false(lane_ward_overdue(&bench.ward, 2000, &late, &next_ns));
    assert_true(next_ns == CLOCK_NEVER);
    assert_int_equal(lane_ward_unanswered(&bench.ward), first + 2);
    tear_down(&bench);
}

static void test_overdue_sees_through_a_nested_answer(void **state)
{
    (void)state;
    struct bench bench;
    struct lane_order order;
    struct lane_event event;
    uint32_t late;
    uint64_t next_ns;
    set_up(&bench, LANE_WAKE_FUTEX);
    uint32_t seq = submit(&bench, 1000);
    assert_int_equal(lane_end_take(&bench.end, false, &order), 0);
    lane_end_callback(&bench.end, 1, NULL, 0, NULL, 0, 0);
    assert_true(lane_ward_overdue(&bench.ward, 1000, &late, &next_ns));
    assert_int_equal(lane_await(bench.lane, seq, 0, NULL, NULL, &event), LANE_CAME);
    struct lane_message nested = {.verb = LANE_CALL, .tag = PEER_ADD};
    assert_int_equal(lane_continue(bench.lane, seq, &nested), 0);
    assert_int_equal(lane_end_take(&bench.end, true, &order), 0);
    lane_end_return(&bench.end, false, 0, 0, NULL, 0, 0);
    assert_true(lane_ward_overdue(&bench.ward, 1000, &late, &next_ns));
    assert_int_equal(late, seq);
    assert_int_equal(lane_await(bench.lane, seq, 0, NULL, NULL, &event), LANE_CAME);
    struct lane_message back = {.verb = LANE_CALLBACK_RETURN};
    assert_int_equal(lane_continue(bench.lane, seq, &back), 0);
    assert_int_equal(lane_end_take(&bench.end, true, &order), 0);
    lane_end_return(&bench.end, true, 0, 0, NULL, 0, 0);
    assert_false(lane_ward_overdue(&bench.ward, 1000, &late, &next_ns));
    tear_down(&bench);
}

static void test_verdict_spares_answers_before_the_blamed_call(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, LANE_WAKE_FUTEX);
    uint32_t seqs[3];
    for (int i = 0; i < 3; i++) {
        seqs[i] = submit(&bench, CLOCK_NEVER);
        answer(&bench);
    }
    assert_true(lane_ward_condemn(&bench.ward, LANE_DEADLINE, seqs[1], NULL));
    assert_false(lane_condemn(bench.lane, LANE_CLOSED, 0));
    assert_int_equal(look(&bench, seqs[2]), LANE_VERDICT);
    assert_int_equal(look(&bench, seqs[1]), LANE_VERDICT);
    assert_int_equal(look(&bench, seqs[0]), LANE_CAME);
    assert_int_equal(look(&bench, seqs[1]), LANE_VERDICT);
    uint32_t blamed;
    assert_int_equal(lane_verdict(bench.lane, &blamed, NULL), LANE_DEADLINE);
    assert_int_equal(blamed, seqs[1]);
    struct lane_order order;
    assert_int_equal(lane_end_take(&bench.end, false, &order), -ESHUTDOWN);
    tear_down(&bench);
}

static void test_death_is_told_with_the_verdict_or_when_all_are_gone(void **state)
{
    (void)state;
    struct bench bench;
    struct lane_death death = {.code = 2, .status = 9, .text = "why"};
    struct lane_death told;
    set_up(&bench, LANE_WAKE_EVENTFD);
    assert_false(lane_await_gone(bench.lane, clock_now_ns() + CLOCK_MS_NS));
    assert_true(lane_condemn(bench.lane, LANE_LIED, 1));
    assert_int_equal(lane_verdict(bench.lane, NULL, &told), LANE_LIED);
    assert_int_equal(told.status, 0);
    lane_ward_gone(&bench.ward, &death);
    assert_true(lane_await_gone(bench.lane, 0));
    assert_int_equal(lane_verdict(bench.lane, NULL, &told), LANE_LIED);
    assert_int_equal(told.status, 9);
    assert_string_equal(told.text, "why");
    tear_down(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ward_seals_h_so_that_nobody_else_can_write_it),
        cmocka_unit_test(test_ward_refuses_what_is_no_lane),
        cmocka_unit_test(test_overdue_names_the_late_call_and_when_to_look_again),
        cmocka_unit_test(test_overdue_sees_through_a_nested_answer),
        cmocka_unit_test(test_verdict_spares_answers_before_the_blamed_call),
        cmocka_unit_test(test_death_is_told_with_the_verdict_or_when_all_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
