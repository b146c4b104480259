/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include "base/clock.h"
#include "base/limits.h"
#include "lane/alarm.h"
#include "lane/keeper.h"

#include <stdlib.h>
#include <string.h>

static const struct frame_hooks hooks = {.callback_to_word = props_callback_word,
                                         .keep = props_keep};

void host_submit_call(struct play *play, struct flight *flight, const struct plan *plan)
{
    struct message why;
    struct lane_message message = {.verb = LANE_CALL, .tag = 1};
    if (flight->used || play->over ||
        lane_room_new(play->lane, PLAY_ROOM_BYTES, PLAY_ROOM_BYTES, &flight->room) != 0) {
        return;
    }
    flight->plan = plan;
    flight->function = plan_function(plan, 0);
    flight->depth = flight->nested = 0;
    props_fill(&flight->props, plan, flight->function, flight->args);
    flight->space = (struct frame_space){.request = lane_room_h(play->lane, &flight->room),
                                         .request_bytes = PLAY_ROOM_BYTES,
                                         .reply_bytes = PLAY_ROOM_BYTES};
    if (frame_encode(plan, 0, 1, flight->args, flight->function->passed_count, &hooks,
                     &flight->space, &flight->request, &why) < 0) {
        abort();
    }
    if (flight->request.frame_bytes > 0) {
        message.verb = LANE_CALL_BYTES;
        message.words[0] = lane_place(flight->room.h_at, flight->request.frame_bytes);
        message.words[1] = lane_place(flight->room.w_at, flight->request.reply_bytes_max);
    }
    uint64_t deadline_ns = play_take_byte(play) % 2 ? CLOCK_NEVER : clock_now_ns();
    if (lane_submit(play->lane, &message, deadline_ns, play_take_byte(play) % 2, &flight->seq) ==
        0) {
        flight->used = true;
    } else {
        props_free_dynamic(plan, flight->function, &flight->props);
        lane_room_free(play->lane, &flight->room);
    }
}

void host_submit(struct play *play)
{
    struct flight *flight = play_take_flight(play);
    host_submit_call(play, flight, props_plan(play_take_byte(play)));
}

void host_give_up(struct play *play, struct flight *flight)
{
    lane_collect(play->lane, flight->seq);
    lane_room_free(play->lane, &flight->room);
    props_free_dynamic(flight->plan, flight->function, &flight->props);
    flight->used = false;
}

static void decode(struct play *play, struct flight *flight, const struct lane_event *event)
{
    uint64_t words[CORDON_PLAN_WORDS_MAX] = {0};
    const volatile uint8_t *reply = lane_room_w(play->lane, &flight->room);
    memcpy(words, event->words, sizeof event->words);
    if (flight->function->out_words > LANE_WORDS) {
        for (uint32_t i = 0; i < flight->function->out_words * sizeof words[0]; i++) {
            ((uint8_t *)words)[i] = reply[i];
        }
    }
    struct frame_result result;
    struct message why;
    if (frame_decode(flight->plan, 0, flight->args, flight->function->passed_count, &hooks,
                     &flight->space, &flight->request, words,
                     flight->request.reply_bytes_max ? reply : NULL, &result, &why) == 0) {
        props_touch(&result.value);
        free(result.owned);
    }
}

/* As a station copies a callback's frame. NULL: it lies. */
static uint8_t *copy_frame(const struct play *play, const struct lane_event *event)
{
    uint32_t bytes = (uint32_t)(event->words[0] >> 32);
    struct lane_room place = {.w_at = (uint32_t)event->words[0], .w_bytes = bytes};
    const volatile uint8_t *source = lane_room_w(play->lane, &place);
    struct frame_header header;
    uint8_t *copy = bytes >= sizeof header ? malloc(bytes) : NULL;
    for (uint32_t i = 0; copy && i < bytes; i++) {
        copy[i] = source[i];
    }
    if (copy) {
        memcpy(&header, copy, sizeof header);
        if (header.word_count > CORDON_PLAN_WORDS_MAX ||
            sizeof header + header.word_count * sizeof(uint64_t) > bytes) {
            free(copy);
            copy = NULL;
        }
    }
    return copy;
}

static void execute(const struct flight *flight, struct frame_call *call, uint64_t *ret_words)
{
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    const struct cordon_plan_function *function = plan_function(flight->plan, call->function);
    uint64_t result[16] = {0};
    uint32_t reply_bytes;
    struct message why;
    if (frame_accept(call, &why) == 0) {
        if (frame_values(flight->plan, call->function, call->arguments, &hooks, &call->outer,
                         values, &why) == 0) {
            for (uint32_t i = 0; i < function->passed_count; i++) {
                props_touch(&values[i]);
            }
        }
        (void)frame_answer(call, result, ret_words, &reply_bytes, &why);
    }
    frame_finish(call);
}

static void answer_callback(struct play *play, struct flight *flight,
                            const struct lane_event *event)
{
    uint32_t count = plan_header(flight->plan)->function_count;
    uint32_t bytes = (uint32_t)(event->words[0] >> 32);
    uint8_t *copy = bytes > 0 ? copy_frame(play, event) : NULL;
    struct lane_message message = {.verb = LANE_CALLBACK_RETURN};
    uint64_t words[CORDON_PLAN_WORDS_MAX] = {0};
    if ((bytes > 0 && !copy) || count < 2) {
        (void)lane_condemn(play->lane, copy ? LANE_FAILED : LANE_LIED, flight->seq);
        free(copy);
        return;
    }
    /* Words alone: as many as the callback's shape wants, or the engine refuses. */
    if (copy || plan_function(flight->plan, count - 1)->in_words <= LANE_WORDS - 2) {
        static uint8_t reply[PLAY_ROOM_BYTES] __attribute__((aligned(16)));
        memset(reply, 0, sizeof reply);
        struct frame_call call = {
            .plan = flight->plan,
            .function = count - 1,
            .hooks = &hooks,
            .outer = {.plan = flight->plan, .words = flight->request.words},
            .words = copy ? (const uint64_t *)(const void *)(copy + sizeof(struct frame_header))
                          : event->words + 2,
            .request = copy,
            .request_bytes = bytes,
            .reply = reply,
            .reply_fixed = PLAY_ROOM_BYTES / 2,
            .reply_bytes_max = PLAY_ROOM_BYTES,
        };
        execute(flight, &call, words);
    }
    memcpy(message.words, words, sizeof message.words);
    free(copy);
    flight->depth--;
    (void)lane_continue(play->lane, flight->seq, &message);
}

/* What lane_await() promises of an event, of which nothing may depend on who writes W meanwhile. */
static void check_event(const struct flight *flight, const struct lane_event *event)
{
    uint32_t at = (uint32_t)event->words[0];
    uint32_t bytes = (uint32_t)(event->words[0] >> 32);
    if (event->verb == LANE_RETURN) {
        uint32_t reply_max = flight->nested                ? 0
                             : flight->request.frame_bytes ? flight->request.reply_bytes_max
                                                           : 0;
        if (event->reply_bytes > reply_max) {
            abort();
        }
    } else if (event->verb != LANE_CALLBACK || flight->depth >= LIMIT_DEPTH ||
               (event->words[1] >> 32) > LANE_WORDS - 2 ||
               (uint32_t)event->words[1] > PLAY_LANE_BYTES ||
               (bytes > 0 && (at < lane_callback_at(PLAY_LANE_BYTES) || at > PLAY_LANE_BYTES ||
                              bytes > PLAY_LANE_BYTES - at))) {
        abort();
    }
}

/* A call of the host's from inside a callback, before its answer. */
static bool nest(struct play *play, struct flight *flight)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = 2};
    if (flight->nested || play_take_byte(play) % 4 != 0) {
        return false;
    }
    flight->nested = flight->depth;
    (void)lane_continue(play->lane, flight->seq, &message);
    return true;
}

static void answer_pending(struct play *play, struct flight *flight)
{
    const struct lane_event nothing = {.verb = LANE_CALLBACK};
    flight->nested = 0;
    answer_callback(play, flight, &nothing);
}

/* A worker may tell of a crash that it never had: the host gives the verdict all the same, whatever it said. */
static void believe_alarm(struct play *play, const struct flight *flight,
                          const struct lane_event *event)
{
    struct lane_death death;
    struct lane_death told;
    alarm_describe(event->words[0] >> 32, event->words[0], event->words[1], &death);
    (void)lane_condemn_crashed(play->lane, flight->seq, &death);
    if (death.status < 0 || death.status > 64 || !memchr(death.text, '\0', sizeof death.text) ||
        lane_verdict(play->lane, NULL, &told) == LANE_ALIVE) {
        abort();
    }
}

void host_await(struct play *play, struct flight *flight)
{
    struct lane_event event;
    uint64_t until_ns = play_take_byte(play) % 8 == 0 ? clock_after_ns(20000) : 0;
    int r = lane_await(play->lane, flight->seq, until_ns, NULL, NULL, &event);
    if (r == LANE_EXPIRED) {
        return;
    }
    if (r == LANE_CAME && event.verb == LANE_ALARM) {
        believe_alarm(play, flight, &event);
        r = LANE_VERDICT;
    }
    if (r != LANE_CAME) {
        play->over = true;
        host_give_up(play, flight);
        return;
    }
    check_event(flight, &event);
    if (event.verb == LANE_CALLBACK) {
        flight->depth++;
        if (!nest(play, flight)) {
            answer_callback(play, flight, &event);
        }
    } else if (flight->depth > 0) {
        answer_pending(play, flight);
    } else {
        decode(play, flight, &event);
        host_give_up(play, flight);
    }
}

void host_look(struct play *play)
{
    struct flight *flight = play_take_flight(play);
    if (flight->used) {
        host_await(play, flight);
    }
}

void host_look_at_any(struct play *play)
{
    uint32_t seq;
    if (lane_any(play->lane, &seq) == 0) {
        for (uint32_t i = 0; i < PLAY_FLIGHTS; i++) {
            if (play->flights[i].used && play->flights[i].seq == seq) {
                host_await(play, &play->flights[i]);
                return;
            }
        }
    }
}

void host_look_around(struct play *play)
{
    const struct flight *flight = play_take_flight(play);
    struct lane_death death;
    uint32_t seq;
    lane_ring(play->lane);
    (void)lane_verdict(play->lane, &seq, &death);
    (void)lane_needs_watch(play->lane, play_take_word(play));
    (void)lane_peek_counts(play->lane);
    (void)lane_await_gone(play->lane, 1);
    if (flight->used) {
        (void)lane_unbegun(play->lane, flight->seq);
    }
}

void host_end_lane(struct play *play)
{
    const struct flight *flight = play_take_flight(play);
    uint8_t verdict = play_take_byte(play);
    (void)lane_condemn(play->lane, (enum lane_verdict)(1 + verdict % 8),
                       verdict & 0x80 ? 0 : flight->seq + (verdict >> 4 & 3));
}

/* ---- The keeper's look ------------------------------------------------------------------------- */

void host_keep_watch(struct play *play)
{
    struct lane_ward ward = {.h = play->h,
                             .w = play->w,
                             .h_bytes = PLAY_LANE_BYTES,
                             .w_bytes = PLAY_LANE_BYTES,
                             .bell_fd = -1};
    uint64_t next_ns;
    uint32_t seq = lane_ward_unanswered(&ward);
    if (seq - atomic_load(&play->h->collected) - 1 > LANE_SLOTS) {
        abort();
    }
    if (lane_ward_overdue(&ward, clock_now_ns(), &seq, &next_ns) && play_take_byte(play) % 4 == 0) {
        const struct lane_death death = {.code = 1, .status = 2};
        (void)lane_ward_condemn(&ward, LANE_DEADLINE, seq, &death);
    }
}
