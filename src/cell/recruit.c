/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/recruit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/cell.h"
#include "cell/on_start.h"
#include "cell/refusal.h"
#include "cell/session.h"
#include "cordon/outcome.h"
#include "lane/identity.h"

#define REPLY_BYTES 4096u

/* ---- Questions --------------------------------------------------------------------------------- */

static uint32_t flight_most(const struct recruit *recruit)
{
    return recruit->cell->options.level == CORDON_LEVEL_INLINE ? 1 : RECRUIT_FLIGHT;
}

/* A request to the engine. */
static int send_verb(struct recruit *recruit, uint32_t verb, uint64_t word, const void *bytes,
                     uint32_t byte_count, struct recruit_question *question)
{
    uint64_t words[5] = {word};
    int r = station_room_new(recruit->station, byte_count + 1, REPLY_BYTES, &question->room);
    if (r != 0) {
        return r;
    }
    if (byte_count > 0) {
        memcpy(question->room.request, bytes, byte_count);
    }
    struct station_request request = {.function_id = verb,
                                      .word_count = 5,
                                      .words = words,
                                      .room = &question->room,
                                      .request_bytes = byte_count,
                                      .reply_bytes_max = question->room.reply_bytes,
                                      .deadline_ns = recruit->deadline_ns};
    r = station_submit(recruit->station, &request, false, &question->ticket);
    question->has_room = r == 0;
    if (r != 0) {
        station_room_free(recruit->station, &question->room);
    }
    return r;
}

static int send_bind(struct recruit *recruit, const struct cordon_function *function,
                     struct recruit_question *question)
{
    question->function = function;
    return send_verb(recruit, ENGINE_BIND, function->id, function->plan,
                     (uint32_t)function->plan_bytes, question);
}

/* Which question comes next; false: none. */
static bool next_kind(const struct recruit *recruit, enum recruit_kind *ret_kind)
{
    if (!recruit->has_greeted) {
        *ret_kind = RECRUIT_HELLO;
    } else if (recruit->on_start_done < on_start_count(recruit->cell)) {
        *ret_kind = recruit->has_bound ? RECRUIT_ON_START : RECRUIT_BIND;
    } else if (recruit->on_start_done > 0 && !recruit->has_counted) {
        *ret_kind = RECRUIT_HOLDINGS;
    } else if (recruit->ahead_done < recruit->ahead_count) {
        *ret_kind = RECRUIT_BIND_AHEAD;
    } else {
        return false;
    }
    return true;
}

static int send(struct recruit *recruit, struct recruit_question *question)
{
    uint32_t index = recruit->on_start_done;
    switch (question->kind) {
    case RECRUIT_HELLO:
        return send_verb(recruit, ENGINE_HELLO, 0, NULL, 0, question);
    case RECRUIT_BIND:
        return send_bind(recruit, recruit->cell->on_start.calls[index]->function, question);
    case RECRUIT_ON_START:
        question->function = recruit->cell->on_start.calls[index]->function;
        return on_start_send(recruit->cell, index, recruit->station, recruit->deadline_ns,
                             &question->room, &question->has_room, &question->ticket);
    case RECRUIT_HOLDINGS:
        return send_verb(recruit, ENGINE_HOLDINGS, 0, NULL, 0, question);
    case RECRUIT_BIND_AHEAD:
        return send_bind(recruit, recruit->ahead[recruit->ahead_done], question);
    }
    return -EINVAL;
}

static void note_sent(struct recruit *recruit, enum recruit_kind kind)
{
    switch (kind) {
    case RECRUIT_HELLO:
        recruit->has_greeted = true;
        break;
    case RECRUIT_BIND:
        recruit->has_bound = true;
        break;
    case RECRUIT_ON_START:
        recruit->has_bound = recruit->has_counted = false;
        recruit->on_start_done++;
        break;
    case RECRUIT_HOLDINGS:
        recruit->has_counted = true;
        break;
    case RECRUIT_BIND_AHEAD:
        recruit->ahead_done++;
        break;
    }
}

/* Ask as much as there is room for. Returns 0 (nothing is left), -EAGAIN (later), another errno. */
static int ask(struct recruit *recruit)
{
    enum recruit_kind kind;
    int r = 0;
    uint32_t before = recruit->asked;
    while (r == 0 && next_kind(recruit, &kind)) {
        if (recruit->asked - recruit->answered == flight_most(recruit)) {
            r = -EAGAIN;
            break;
        }
        struct recruit_question *question = &recruit->questions[recruit->asked % RECRUIT_FLIGHT];
        *question = (struct recruit_question){.kind = kind, .ticket = {.done = &recruit->done}};
        r = send(recruit, question);
        if (r == 0) {
            note_sent(recruit, kind);
            recruit->asked++;
        }
    }
    if (recruit->asked != before) {
        station_ring(recruit->station);
    }
    return r;
}

/* ---- Answers ----------------------------------------------------------------------------------- */

static int take_hello(struct recruit *recruit, const struct station_reply *reply,
                      struct message *why)
{
    uint32_t protocol = (uint32_t)reply->words[0];
    uint32_t identity = (uint32_t)(reply->words[0] >> 32);
    if (protocol != ENGINE_PROTOCOL) {
        return message_set(why, -EPROTO, "the worker program speaks protocol %u, this library %u",
                           protocol, ENGINE_PROTOCOL);
    }
    if (identity != lane_identity()) {
        return message_set(why, -EPROTO,
                           "the worker program is of another build of Cordon: its layout is %#x, "
                           "this library's %#x",
                           identity, lane_identity());
    }
    station_set_pid(recruit->station, reply->words[2]);
    return 0;
}

static int take_answer(struct recruit *recruit, const struct recruit_question *question,
                       const struct station_reply *reply, struct message *why)
{
    const struct cordon_function *function = question->function;
    if (reply->status != 0) {
        if (question->kind == RECRUIT_BIND_AHEAD) {
            return 0; /* whoever calls it will hear of it */
        }
        return refusal(
            reply, function ? plan_name(function->plan, function->record->name) : "a request", why);
    }
    switch (question->kind) {
    case RECRUIT_HELLO:
        return take_hello(recruit, reply, why);
    case RECRUIT_HOLDINGS:
        recruit->holdings = reply->words[0];
        break;
    case RECRUIT_ON_START:
        break;
    case RECRUIT_BIND:
    case RECRUIT_BIND_AHEAD:
        recruit->bound[function->id / 64] |= 1ull << (function->id % 64);
        break;
    }
    return 0;
}

/* As station_await(); STATION_EXPIRED: the thread that waits has seen something and waits no longer. */
static int await_reply(struct recruit *recruit, struct recruit_question *question,
                       struct station_reply *ret_reply, struct station_end *ret_end)
{
    const struct line_look *look = session_look();
    int r = STATION_EXPIRED;
    while (r == STATION_EXPIRED) {
        r = station_await(recruit->station, &question->ticket,
                          question->kind == RECRUIT_ON_START ? 0 : 3, line_look_next(look),
                          recruit->deadline_ns, ret_reply, ret_end);
        if (r == STATION_EXPIRED && look->look(look->context) != 0) {
            return STATION_EXPIRED;
        }
    }
    return r;
}

static int await_oldest(struct recruit *recruit, struct message *why)
{
    struct recruit_question *question = &recruit->questions[recruit->answered % RECRUIT_FLIGHT];
    struct station_reply reply;
    struct station_end end;
    if (question->has_room) {
        question->ticket.room = &question->room;
    }
    int r = await_reply(recruit, question, &reply, &end);
    if (r == STATION_EXPIRED) {
        return message_set(why, -EINTR, "interrupted while its worker was started");
    }
    if (r == STATION_REPLIED) {
        r = take_answer(recruit, question, &reply, why);
    } else {
        r = end.outcome;
        if (why) {
            *why = end.why;
        }
    }
    if (r != 0 && question->kind == RECRUIT_ON_START) {
        message_add(why, " (in the on_start call of %s)",
                    plan_name(question->function->plan, question->function->record->name));
    }
    station_collect(recruit->station, &question->ticket);
    if (question->has_room) {
        station_room_free(recruit->station, &question->room);
    }
    recruit->answered++;
    return r;
}

static int ended_before(const struct recruit *recruit, struct message *why)
{
    struct station_end end;
    station_ended(recruit->station, &end);
    if (why) {
        *why = end.why;
    }
    return end.outcome;
}

static int finish(struct recruit *recruit, struct message *why)
{
    for (;;) {
        int r = ask(recruit);
        if (recruit->answered != recruit->asked) {
            int answer = await_oldest(recruit, why);
            if (answer != 0) {
                return answer;
            }
        } else if (r == -EPIPE) {
            return ended_before(recruit, why);
        } else if (r != 0) {
            return message_set(why, r, "cannot reach the worker: %s", strerror(-r));
        } else {
            return 0;
        }
    }
}

/* ---- Life -------------------------------------------------------------------------------------- */

/* Nobody is there to answer: the declared failure value, or the end of the worker. */
static int answer_nothing(void *context, struct station_callback *callback)
{
    (void)context;
    (void)callback;
    return -ECONNABORTED;
}

static uint64_t start_deadline(const struct cordon_cell *cell)
{
    return clock_after_ns(cell->options.start_ms * CLOCK_MS_NS + CLOCK_SECOND_NS);
}

int recruit_new(struct cordon_cell *cell, const struct station_options *options,
                const struct cordon_function *const *ahead, uint32_t ahead_count,
                struct recruit **ret_recruit, struct message *why)
{
    struct station_options its_own = *options;
    its_own.answer = answer_nothing;
    its_own.answer_context = NULL;
    struct recruit *recruit = calloc(1, sizeof *recruit);
    if (recruit) {
        recruit->bound = calloc(SESSION_BOUND_WORDS, sizeof *recruit->bound);
    }
    if (!recruit || !recruit->bound) {
        free(recruit);
        return message_set(why, -ENOMEM, "not enough memory for a worker");
    }
    recruit->cell = cell;
    recruit->deadline_ns = start_deadline(cell);
    recruit->ahead_count = ahead_count < RECRUIT_BINDS ? ahead_count : RECRUIT_BINDS;
    for (uint32_t i = 0; i < recruit->ahead_count; i++) {
        recruit->ahead[i] = ahead[i];
    }
    life_step(&recruit->life, LIFE_ORDERED, &cell->life_counts);
    int r = station_open(&its_own, &recruit->station, why);
    if (r != 0) {
        life_step(&recruit->life, LIFE_BROKE, &cell->life_counts);
        recruit_free(recruit, false);
        return r;
    }
    (void)ask(recruit); /* what goes wrong is told by recruit_finish() */
    if (recruit->on_start_done > 0) {
        station_watch(recruit->station, recruit->deadline_ns);
    }
    *ret_recruit = recruit;
    return 0;
}

int recruit_finish(struct recruit *recruit, struct message *why)
{
    struct life_counts *counts = &recruit->cell->life_counts;
    if (recruit->life.state == LIFE_STARTING) {
        recruit->deadline_ns = start_deadline(recruit->cell);
    }
    int r = finish(recruit, why);
    life_step(&recruit->life, r == 0 ? LIFE_ANSWERED : LIFE_BROKE, counts);
    if (r != 0) {
        station_condemn(recruit->station, LANE_LIED); /* no call is for it */
    }
    return r;
}

void recruit_free(struct recruit *recruit, bool wait)
{
    if (!recruit) {
        return;
    }
    if (recruit->station) {
        life_step(&recruit->life, LIFE_DISMISSED, &recruit->cell->life_counts);
    }
    station_close(recruit->station, wait);
    free(recruit->bound);
    free(recruit);
}
