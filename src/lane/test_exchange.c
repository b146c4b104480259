/* SPDX-License-Identifier: Apache-2.0 */
/* A call and its answer in one; bytes inside the mail; workers that lie meanwhile. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lane/host.h"
#include "lane/test_peer.h"
#include "lane/worker.h"

#define CALLS 20000u

struct scene {
    struct lane *lane;
    struct lane_end end;
    pthread_t worker;
    enum lie {
        TRUTH,
        WRONG_STEP,
        WRONG_VERB,
        REPLY_BYTES,
        STATUS,
        SILENCE,
    } lie;
};

static void open_scene(struct scene *scene)
{
    assert_int_equal(peer_open_both(&scene->lane, &scene->end), 0);
    scene->end.is_thread = true; /* a verdict wakes it at once */
}

/* What a worker says that does not answer in turn. */
static void lie(struct scene *scene)
{
    struct lane_mail *mail = &scene->end.w->mail[scene->end.slot];
    uint32_t step = lane_step_next(lane_turn_step(scene->end.turns[scene->end.slot]));
    enum lane_verb verb = scene->lie == WRONG_VERB ? LANE_CALL : LANE_RETURN;
    step += scene->lie == WRONG_STEP ? 2 : 0;
    atomic_store(&mail->words[0], 7);
    atomic_store(&mail->status_bytes, scene->lie == REPLY_BYTES ? 1
                                      : scene->lie == STATUS    ? (uint64_t)(uint32_t)-3 << 32
                                                                : 0);
    atomic_store(&mail->turn, lane_turn(step, verb));
}

static void *serve(void *context)
{
    struct scene *scene = context;
    struct lane_order order;
    int r;
    while ((r = lane_end_take(&scene->end, false, &order)) == 0) {
        uint64_t sum = order.words[1];
        for (uint32_t i = 0; i < order.byte_count; i++) {
            sum += order.bytes[i];
        }
        if (scene->lie == TRUTH) {
            lane_end_return(&scene->end, true, (int32_t)order.word_count, 0, &sum, 1, 0);
        } else if (scene->lie != SILENCE) {
            lie(scene);
            scene->lie = SILENCE;
        }
    }
    return (void *)(intptr_t)r;
}

static void start(struct scene *scene)
{
    assert_int_equal(pthread_create(&scene->worker, NULL, serve, scene), 0);
}

static int stop(struct scene *scene)
{
    void *r = NULL;
    (void)lane_condemn(scene->lane, LANE_CLOSED, 0);
    assert_int_equal(pthread_join(scene->worker, &r), 0);
    lane_close(scene->lane);
    return (int)(intptr_t)r;
}

static struct lane_message short_message(uint64_t first, const void *bytes, uint32_t count)
{
    struct lane_message message = {
        .verb = LANE_CALL_SHORT, .tag = 1, .words = {lane_place(0, count), first}};
    memcpy(&message.words[LANE_INSIDE_WORD], bytes,
           count < LANE_INSIDE_BYTES ? count : LANE_INSIDE_BYTES);
    return message;
}

/* By whichever way it comes. */
static int exchange(struct lane *lane, const struct lane_message *message,
                    struct lane_event *ret_event, uint32_t *ret_at_once)
{
    uint32_t seq = 0;
    int r = lane_exchange(lane, message, CLOCK_NEVER, ret_event, &seq);
    *ret_at_once += r == LANE_CAME;
    if (r == LANE_EXPIRED) {
        r = lane_await(lane, seq, CLOCK_NEVER, NULL, NULL, ret_event);
    }
    if (r == LANE_CAME) {
        lane_collect(lane, seq);
    }
    return r;
}

static void test_calls_and_answers_are_each_others(void **state)
{
    (void)state;
    struct scene scene = {.lie = TRUTH};
    uint32_t at_once = 0;
    open_scene(&scene);
    start(&scene);
    for (uint32_t i = 0; i < CALLS; i++) {
        const uint8_t bytes[LANE_INSIDE_BYTES] = {1, 2, 3, 4, [15] = 200};
        struct lane_message message = short_message(i, bytes, LANE_INSIDE_BYTES - i % 2);
        struct lane_event event;
        assert_int_equal(exchange(scene.lane, &message, &event, &at_once), LANE_CAME);
        assert_int_equal(event.verb, LANE_RETURN);
        assert_int_equal(event.words[0], i + 10 + (i % 2 ? 0 : 200));
        assert_int_equal(event.tag, LANE_INSIDE_WORD);
        assert_int_equal(event.status, 0);
        assert_int_equal(event.reply_bytes, 0);
    }
    struct lane_counts counts = lane_peek_counts(scene.lane);
    assert_true(at_once <= counts.spins_won);
    assert_int_equal(stop(&scene), -ESHUTDOWN);
}

static void test_nothing_is_sent_beside_another_call_or_behind_a_verdict(void **state)
{
    (void)state;
    struct scene scene = {.lie = SILENCE};
    struct lane_message message = short_message(1, "ab", 2);
    struct lane_event event;
    uint32_t seq = 0;
    open_scene(&scene);
    assert_int_equal(lane_submit(scene.lane, &message, CLOCK_NEVER, false, &seq), 0);
    assert_int_equal(lane_exchange(scene.lane, &message, CLOCK_NEVER, &event, &seq), -EBUSY);
    assert_int_equal(seq, 1);
    assert_true(lane_condemn(scene.lane, LANE_CLOSED, 0));
    lane_collect(scene.lane, 1);
    assert_int_equal(lane_exchange(scene.lane, &message, CLOCK_NEVER, &event, &seq), -EPIPE);
    lane_close(scene.lane);
}

static void test_bytes_inside_that_do_not_fit_are_no_message(void **state)
{
    (void)state;
    static const uint8_t bytes[LANE_INSIDE_BYTES];
    static const uint32_t counts[] = {0, LANE_INSIDE_BYTES + 1, UINT32_MAX};
    for (uint32_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct scene scene = {.lie = TRUTH};
        struct lane_message message = short_message(1, bytes, counts[i]);
        struct lane_order order;
        uint32_t seq;
        open_scene(&scene);
        assert_int_equal(lane_submit(scene.lane, &message, CLOCK_NEVER, true, &seq), 0);
        assert_int_equal(lane_end_take(&scene.end, false, &order), -EBADMSG);
        lane_close(scene.lane);
    }
}

/* One call, of a worker that says this. Returns what came of it, by whichever way. */
static int exchange_once(struct scene *scene, enum lie lie, struct lane_event *ret_event)
{
    struct lane_message message = short_message(1, "ab", 2);
    uint32_t at_once = 0;
    *scene = (struct scene){.lie = lie};
    open_scene(scene);
    start(scene);
    int r = exchange(scene->lane, &message, ret_event, &at_once);
    assert_int_equal(at_once, 0);
    return r;
}

static void test_lies_are_left_to_who_judges_them(void **state)
{
    (void)state;
    static const enum lie lies[] = {WRONG_STEP, WRONG_VERB, REPLY_BYTES};
    for (uint32_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct scene scene;
        struct lane_event event;
        uint32_t blamed = 0;
        assert_int_equal(exchange_once(&scene, lies[i], &event), -EBADMSG);
        assert_int_equal(lane_verdict(scene.lane, &blamed, NULL), LANE_LIED);
        assert_int_equal(blamed, 1);
        (void)stop(&scene);
    }
}

static void test_refusal_is_no_plain_answer(void **state)
{
    (void)state;
    struct scene scene;
    struct lane_event event;
    assert_int_equal(exchange_once(&scene, STATUS, &event), LANE_CAME);
    assert_int_equal(event.status, -3);
    (void)stop(&scene);
}

static void test_deadline_may_be_set_while_the_call_is_in_flight(void **state)
{
    (void)state;
    struct scene scene = {.lie = SILENCE};
    struct lane_message message = short_message(1, "ab", 2);
    struct lane_event event;
    uint32_t seq = 0;
    open_scene(&scene);
    start(&scene);
    assert_int_equal(lane_exchange(scene.lane, &message, CLOCK_NEVER, &event, &seq), LANE_EXPIRED);
    lane_set_deadline(scene.lane, seq, 12345);
    struct lane_host_page *h = lane_peek_h(scene.lane);
    assert_int_equal(atomic_load(&h->record[lane_slot_of(seq)].deadline_ns), 12345);
    (void)stop(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_and_answers_are_each_others),
        cmocka_unit_test(test_nothing_is_sent_beside_another_call_or_behind_a_verdict),
        cmocka_unit_test(test_bytes_inside_that_do_not_fit_are_no_message),
        cmocka_unit_test(test_lies_are_left_to_who_judges_them),
        cmocka_unit_test(test_refusal_is_no_plain_answer),
        cmocka_unit_test(test_deadline_may_be_set_while_the_call_is_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
