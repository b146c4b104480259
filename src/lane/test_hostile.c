/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile worker writes into its mail, word by word; and a host that lacks memory or descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/limits.h"
#include "lane/host.h"
#include "lane/layout.h"

static struct lane *open_small(void)
{
    struct lane_options options = {
        .h_bytes = LANE_BYTES_MIN, .w_bytes = LANE_BYTES_MIN, .private_memory = true};
    struct lane *lane = NULL;
    assert_int_equal(lane_open(&options, &lane), 0);
    return lane;
}

static uint32_t submit(struct lane *lane)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = 1};
    uint32_t seq = 0;
    assert_int_equal(lane_submit(lane, &message, CLOCK_NEVER, true, &seq), 0);
    return seq;
}

struct mail {
    enum lane_verb verb;
    uint64_t words[2];
    uint32_t reply_bytes;
    uint32_t steps; /* beyond the next one */
};

/* As a worker does it, but for what it says. */
static void post(struct lane *lane, uint32_t seq, const struct mail *said)
{
    struct lane_worker_page *w = lane_peek_w(lane);
    struct lane_mail *mail = &w->mail[lane_slot_of(seq)];
    uint32_t step = lane_step_next(lane_turn_step(atomic_load(&mail->turn))) + said->steps;
    atomic_store(&mail->words[0], said->words[0]);
    atomic_store(&mail->words[1], said->words[1]);
    atomic_store(&mail->status_bytes, said->reply_bytes);
    atomic_store(&mail->turn, lane_turn(step, said->verb));
}

static int look(struct lane *lane, uint32_t seq)
{
    struct lane_event event;
    return lane_await(lane, seq, 0, NULL, NULL, &event);
}

static void test_each_lie_in_the_mail_ends_the_lane(void **state)
{
    (void)state;
    const uint32_t from = lane_callback_at(LANE_BYTES_MIN);
    const uint32_t room = LANE_BYTES_MIN - from;
    const struct {
        struct mail mail;
        int result;
    } cases[] = {
        {{LANE_RETURN, {0}, 0, 0}, LANE_CAME},
        {{LANE_RETURN, {0}, 1, 0}, -EBADMSG}, /* bytes, and there was no place for any */
        {{LANE_RETURN, {0}, 0, 1}, -EBADMSG}, /* a step ahead */
        {{LANE_CALL, {0}, 0, 0}, -EBADMSG},
        {{(enum lane_verb)15, {0}, 0, 0}, -EBADMSG},
        {{LANE_CALLBACK, {0}, 0, 0}, LANE_CAME},
        {{LANE_CALLBACK, {lane_place(from, room)}, 0, 0}, LANE_CAME},
        {{LANE_CALLBACK, {lane_place(from, room + 1)}, 0, 0}, -EBADMSG},
        {{LANE_CALLBACK, {lane_place(from - 1, 1)}, 0, 0}, -EBADMSG},
        {{LANE_CALLBACK, {lane_place(LANE_BYTES_MIN, 1)}, 0, 0}, -EBADMSG},
        {{LANE_CALLBACK, {lane_place(UINT32_MAX, UINT32_MAX)}, 0, 0}, -EBADMSG},
        {{LANE_CALLBACK, {lane_place(from, 0)}, 0, 0}, -EBADMSG},
        {{LANE_CALLBACK, {0, (uint64_t)(LANE_WORDS - 2) << 32}, 0, 0}, LANE_CAME},
        {{LANE_CALLBACK, {0, (uint64_t)(LANE_WORDS - 1) << 32}, 0, 0}, -EBADMSG},
        {{LANE_CALLBACK, {0, LANE_BYTES_MIN}, 0, 0}, LANE_CAME},
        {{LANE_CALLBACK, {0, LANE_BYTES_MIN + 1}, 0, 0}, -EBADMSG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lane *lane = open_small();
        uint32_t seq = submit(lane);
        post(lane, seq, &cases[i].mail);
        assert_int_equal(look(lane, seq), cases[i].result);
        assert_int_equal(lane_verdict(lane, NULL, NULL),
                         cases[i].result == LANE_CAME ? LANE_ALIVE : LANE_LIED);
        lane_close(lane);
    }
}

static void test_callbacks_nest_no_deeper_than_the_limit(void **state)
{
    (void)state;
    struct lane *lane = open_small();
    uint32_t seq = submit(lane);
    struct lane_message inner = {.verb = LANE_CALL, .tag = 1};
    for (uint32_t depth = 0; depth < LIMIT_DEPTH; depth++) {
        post(lane, seq, &(struct mail){.verb = LANE_CALLBACK});
        assert_int_equal(look(lane, seq), LANE_CAME);
        assert_int_equal(lane_continue(lane, seq, &inner), 0);
    }
    post(lane, seq, &(struct mail){.verb = LANE_CALLBACK});
    assert_int_equal(look(lane, seq), -EBADMSG);
    lane_close(lane);
}

/* A lie that comes while somebody else ends the lane is not told twice. */
static void test_answers_under_a_verdict_are_judged_as_well(void **state)
{
    (void)state;
    static const struct {
        struct mail mail;
        enum lane_verdict verdict;
        uint32_t blamed;
        int result;
    } cases[] = {
        {{LANE_RETURN, {0}, 0, 0}, LANE_DEADLINE, 2, LANE_CAME},
        {{LANE_RETURN, {0}, 0, 0}, LANE_DEADLINE, 1, LANE_VERDICT},
        {{LANE_RETURN, {0}, 9, 0}, LANE_DEADLINE, 2, LANE_VERDICT},
        {{LANE_CALLBACK, {0}, 0, 0}, LANE_DEADLINE, 2, LANE_VERDICT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lane *lane = open_small();
        uint32_t seq = submit(lane);
        post(lane, seq, &cases[i].mail);
        assert_true(lane_condemn(lane, cases[i].verdict, cases[i].blamed));
        assert_int_equal(look(lane, seq), cases[i].result);
        lane_close(lane);
    }
    struct lane *lane = open_small();
    uint32_t seq = submit(lane);
    post(lane, seq, &(struct mail){.verb = LANE_CALLBACK});
    assert_int_equal(look(lane, seq), LANE_CAME);
    assert_true(lane_condemn(lane, LANE_CLOSED, 0));
    struct lane_message back = {.verb = LANE_CALLBACK_RETURN};
    assert_int_equal(lane_continue(lane, seq, &back), -EPIPE);
    post(lane, seq, &(struct mail){.verb = LANE_RETURN}); /* of a call that a callback interrupts */
    assert_int_equal(look(lane, seq), LANE_VERDICT);
    lane_close(lane);
}

/* The keeper died between two stores: whom it blames is not known, and nobody is spared. */
static void test_verdict_without_its_blame_spares_nobody(void **state)
{
    (void)state;
    struct lane *lane = open_small();
    struct lane_host_page *h = lane_peek_h(lane);
    struct lane_death death;
    uint32_t seq = submit(lane);
    post(lane, seq, &(struct mail){.verb = LANE_RETURN});
    atomic_store(&h->verdict, LANE_DIED);
    assert_int_equal(look(lane, seq), LANE_VERDICT);
    assert_int_equal(lane_verdict(lane, NULL, &death), LANE_DIED);
    assert_int_equal(death.code, 0);
    lane_close(lane);
}

/* Returns once somebody waits on @word, who has then been woken; or has given up long ago. */
static void wake_a_waiter(const _Atomic uint32_t *word)
{
    uint64_t until_ns = clock_after_ns(CLOCK_SECOND_NS);
    while (syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0 &&
           clock_now_ns() < until_ns) {
        (void)sched_yield();
    }
}

static void *finish_late(void *context)
{
    struct lane_host_page *h = context;
    wake_a_waiter(&h->verdict_final); /* for nothing: who waits looks, and waits on */
    wake_a_waiter(&h->verdict_final);
    atomic_store(&h->verdict_seq, 2);
    atomic_store(&h->verdict_final, LANE_FINAL_SEQ);
    futex_wake(&h->verdict_final, INT32_MAX);
    return NULL;
}

static void test_blame_that_comes_late_is_waited_for(void **state)
{
    (void)state;
    struct lane *lane = open_small();
    struct lane_host_page *h = lane_peek_h(lane);
    pthread_t thread;
    uint32_t seq = submit(lane);
    post(lane, seq, &(struct mail){.verb = LANE_RETURN});
    atomic_store(&h->verdict, LANE_DEADLINE);
    assert_int_equal(pthread_create(&thread, NULL, finish_late, h), 0);
    assert_int_equal(look(lane, seq), LANE_CAME);
    assert_int_equal(pthread_join(thread, NULL), 0);
    lane_close(lane);
}

static void test_after_a_verdict_all_calls_are_there_to_collect(void **state)
{
    (void)state;
    struct lane *lane = open_small();
    uint32_t first = submit(lane);
    uint32_t second = submit(lane);
    uint32_t seq = 0;
    assert_true(lane_condemn(lane, LANE_CLOSED, 0));
    assert_int_equal(lane_any(lane, &seq), 0);
    assert_int_equal(seq, first);
    assert_int_equal(look(lane, first), LANE_VERDICT);
    lane_collect(lane, first);
    assert_int_equal(lane_any(lane, &seq), 0);
    assert_int_equal(seq, second);
    lane_close(lane);
}

static void test_held_call_is_nothing_to_collect(void **state)
{
    (void)state;
    struct lane *lane = open_small();
    uint32_t seq = submit(lane);
    post(lane, seq, &(struct mail){.verb = LANE_CALLBACK});
    assert_int_equal(look(lane, seq), LANE_CAME);
    assert_int_equal(lane_any(lane, &seq), -EAGAIN);
    lane_close(lane);
}

static void test_rooms_are_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    struct lane *lane = open_small();
    struct lane_room all;
    struct lane_room none;
    assert_int_equal(lane_room_new(lane, LANE_BYTES_MIN, 1, &none), -E2BIG);
    assert_int_equal(lane_room_new(lane, 1, LANE_BYTES_MIN, &none), -E2BIG);
    assert_int_equal(lane_room_new(lane, LANE_ROOM_ALL, LANE_ROOM_ALL, &all), 0);
    assert_int_equal(all.h_bytes, LANE_BYTES_MIN - LANE_H_BYTES_AT);
    assert_int_equal(all.w_bytes, lane_callback_at(LANE_BYTES_MIN) - LANE_W_BYTES_AT);
    assert_int_equal(lane_room_new(lane, 1, 1, &none), -EAGAIN);
    assert_int_equal(lane_room_new(lane, 0, 1, &none), -EAGAIN);
    assert_int_equal(lane_room_new(lane, 1, 0, &none), -EAGAIN);
    lane_room_shrink(lane, &all, 64, all.w_bytes);
    assert_int_equal(lane_room_new(lane, 64, 64, &none), -EAGAIN); /* H has room, W has none */
    lane_room_shrink(lane, &all, 64, 64);
    struct lane_room rest;
    assert_int_equal(lane_room_new(lane, LANE_ROOM_ALL, 0, &rest), 0); /* so nothing was lost */
    assert_int_equal(rest.h_bytes, LANE_BYTES_MIN - LANE_H_BYTES_AT - 64);
    assert_int_equal(lane_room_new(lane, 64, 64, &none), -EAGAIN); /* W has room, H has none */
    lane_room_shrink(lane, &rest, 64, 0);
    lane_room_free(lane, &rest);
    lane_room_free(lane, &all);
    assert_int_equal(lane_room_new(lane, LANE_ROOM_ALL, LANE_ROOM_ALL, &rest), 0);
    assert_int_equal(rest.h_bytes, LANE_BYTES_MIN - LANE_H_BYTES_AT);
    lane_close(lane);
}

/* With room for @more descriptors beyond those that are open. */
static int open_with_fds(const struct lane_options *options, rlim_t more)
{
    struct rlimit before;
    struct lane *lane = NULL;
    int lowest = fcntl(0, F_DUPFD, 0);
    assert_true(lowest >= 0);
    assert_int_equal(close(lowest), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = {.rlim_cur = (rlim_t)lowest + more, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int r = lane_open(options, &lane);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    lane_close(lane);
    int after = fcntl(0, F_DUPFD, 0);
    assert_int_equal(after, lowest); /* nothing stays open */
    assert_int_equal(close(after), 0);
    return r;
}

static void test_open_without_descriptors_says_so(void **state)
{
    (void)state;
    struct lane_options options = {.wake = LANE_WAKE_EVENTFD};
    for (rlim_t more = 0; more < 4; more++) {
        assert_int_equal(open_with_fds(&options, more), -EMFILE);
    }
    assert_int_equal(open_with_fds(&options, 4), 0);
}

/* With @more bytes of address space beyond what is in use. */
static int open_with_memory(const struct lane_options *options, rlim_t more)
{
    struct rlimit before;
    struct lane *lane = NULL;
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    assert_non_null(statm);
    assert_int_equal(fscanf(statm, "%lu", &pages), 1);
    assert_int_equal(fclose(statm), 0);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    struct rlimit little = {.rlim_cur = pages * LANE_PAGE + more, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &little), 0);
    int r = lane_open(options, &lane);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    lane_close(lane);
    return r;
}

static void test_open_without_memory_says_so(void **state)
{
    (void)state;
    const rlim_t mib = 1u << 20;
    for (int private_memory = 0; private_memory < 2; private_memory++) {
        struct lane_options options = {
            .h_bytes = 64 * mib, .w_bytes = 64 * mib, .private_memory = private_memory != 0};
        assert_int_equal(open_with_memory(&options, 32 * mib), -ENOMEM);
        assert_int_equal(open_with_memory(&options, 96 * mib), -ENOMEM); /* H fits, W does not */
        assert_int_equal(open_with_memory(&options, 192 * mib), 0);
    }
}

static void test_host_on_one_cpu_says_so(void **state)
{
    (void)state;
    cpu_set_t before;
    cpu_set_t one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &before)) {
            CPU_SET(cpu, &one);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    struct lane *lane = open_small();
    assert_int_equal(((struct lane_host_page *)lane_peek_h(lane))->one_cpu, 1);
    lane_close(lane);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    lane = open_small();
    assert_int_equal(((struct lane_host_page *)lane_peek_h(lane))->one_cpu,
                     CPU_COUNT(&before) == 1);
    lane_close(lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_lie_in_the_mail_ends_the_lane),
        cmocka_unit_test(test_callbacks_nest_no_deeper_than_the_limit),
        cmocka_unit_test(test_answers_under_a_verdict_are_judged_as_well),
        cmocka_unit_test(test_verdict_without_its_blame_spares_nobody),
        cmocka_unit_test(test_blame_that_comes_late_is_waited_for),
        cmocka_unit_test(test_after_a_verdict_all_calls_are_there_to_collect),
        cmocka_unit_test(test_held_call_is_nothing_to_collect),
        cmocka_unit_test(test_rooms_are_taken_whole_or_not_at_all),
        cmocka_unit_test(test_open_without_descriptors_says_so),
        cmocka_unit_test(test_open_without_memory_says_so),
        cmocka_unit_test(test_host_on_one_cpu_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
