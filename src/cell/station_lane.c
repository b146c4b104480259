/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/station_internal.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "lane/alarm.h"
#include "lane/keeper.h"

static void fill_words(struct lane_message *message, uint32_t from, const uint64_t *words,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count && from + i < LANE_WORDS; i++) {
        message->words[from + i] = words[i];
    }
}

int station_lane_submit(struct station *station, const struct station_request *request, bool ring,
                        bool nested, uint32_t outer_seq, struct station_ticket *ticket)
{
    struct lane_message message = {.tag = request->function_id};
    if (request->room) {
        message.verb = LANE_CALL_BYTES;
        message.words[0] = lane_place(request->room->lane.h_at, request->request_bytes);
        message.words[1] = lane_place(request->room->lane.w_at, request->reply_bytes_max);
        fill_words(&message, 2, request->words, request->word_count);
        if (request->function_id >= ENGINE_VERBS && request->word_count > LANE_WORDS - 2) {
            /* A verb's fifth word, of 32 bits, has no other place. */
            message.status_bytes = request->words[LANE_WORDS - 2] << 32;
        }
    } else {
        message.verb = LANE_CALL;
        fill_words(&message, 0, request->words, request->word_count);
    }
    ticket->room = request->room;
    ticket->reply_bytes_max = request->reply_bytes_max;
    ticket->came = NULL;
    if (nested) {
        ticket->seq = outer_seq;
        return lane_continue(station->lane, outer_seq, &message);
    }
    return lane_submit(station->lane, &message, request->deadline_ns, ring, &ticket->seq);
}

/* Nobody else tells of the keeper's death. */
int station_check(void *context)
{
    struct station *station = context;
    if (station->keeper && !keeper_client_alive(station->keeper)) {
        (void)lane_condemn(station->lane, LANE_KEEPER_LOST, 0);
    }
    if (station->seat) {
        station_lease_check(station);
    }
    return 0;
}

/* Reply words: private copies, from the mail or, beyond six, from the reply's start. */
static int take_words(struct station *station, const struct station_ticket *ticket,
                      const struct lane_event *event, uint32_t out_words,
                      struct station_reply *ret_reply)
{
    ret_reply->reply = ticket->room ? lane_room_w(station->lane, &ticket->room->lane) : NULL;
    if (out_words <= LANE_WORDS || event->status != 0) {
        for (uint32_t i = 0; i < out_words && i < LANE_WORDS; i++) {
            ret_reply->words[i] = event->words[i];
        }
        return 0;
    }
    size_t bytes = out_words * sizeof(uint64_t);
    if (!ret_reply->reply || event->reply_bytes < bytes) {
        return -EBADMSG;
    }
    const volatile uint64_t *words =
        (const volatile uint64_t *)(const volatile void *)ret_reply->reply;
    for (uint32_t i = 0; i < out_words; i++) {
        ret_reply->words[i] = words[i];
    }
    return 0;
}

static int take_reply(struct station *station, const struct station_ticket *ticket,
                      const struct lane_event *event, uint32_t out_words,
                      struct station_reply *ret_reply)
{
    if (event->reply_bytes > ticket->reply_bytes_max) {
        return -EBADMSG;
    }
    ret_reply->status = event->status;
    ret_reply->error_number = (int)event->tag;
    ret_reply->reply_bytes = event->reply_bytes;
    return take_words(station, ticket, event, out_words, ret_reply);
}

/*
 * The worker tells of its own crash: as good as the keeper's word, and sooner. Whoever lies about it hears no more
 * of this lane, and is ended with the station, as a thread would be that a library left running.
 */
static void end_by_alarm(struct station *station, uint32_t seq, const struct lane_event *event)
{
    struct lane_death death;
    if (!station->keeper && !station->seat) {
        station_lane_condemn(station, LANE_LIED, seq);
        return;
    }
    alarm_describe(event->words[0] >> 32, event->words[0], event->words[1], &death);
    (void)lane_condemn_crashed(station->lane, seq, &death);
}

/* @came: an event that was taken before, or NULL: wait for one. */
static int next_event(struct station *station, uint32_t seq, const struct lane_event *came,
                      uint64_t until_ns, struct lane_event *ret_event)
{
    if (came) {
        *ret_event = *came;
        return LANE_CAME;
    }
    return lane_await(station->lane, seq, until_ns, station_check, station, ret_event);
}

int station_lane_await(struct station *station, const struct station_ticket *ticket,
                       uint32_t out_words, uint64_t until_ns, uint64_t deadline_ns,
                       struct station_reply *ret_reply, struct station_end *ret_end)
{
    const struct lane_event *came = ticket->came;
    uint64_t wait_ns = until_ns < deadline_ns ? until_ns : deadline_ns;
    struct lane_room *kept = &station->answers_read[lane_slot_of(ticket->seq)];
    struct lane_room room = *kept;
    bool has_room = room.h_bytes != 0;
    *kept = (struct lane_room){0};
    bool answered = false;
    for (;;) {
        struct lane_event event;
        /* A worker that never stops calling back must not keep us from looking at the clock. */
        int r = answered && clock_now_ns() >= wait_ns
                    ? LANE_EXPIRED
                    : next_event(station, ticket->seq, came, wait_ns, &event);
        came = NULL;
        /* A mere look, too, finds a deadline that has passed. */
        if (r == LANE_EXPIRED && until_ns < deadline_ns && clock_now_ns() < deadline_ns) {
            *kept = has_room ? room : (struct lane_room){0};
            return STATION_EXPIRED;
        }
        if (has_room) {
            lane_room_free(station->lane, &room);
            has_room = false;
        }
        if (r == LANE_CAME && event.verb == LANE_CALLBACK) {
            station_answer_callback(station, ticket->seq, &event, &room, &has_room);
            answered = true;
            continue;
        }
        if (r == LANE_CAME && event.verb == LANE_ALARM) {
            end_by_alarm(station, ticket->seq, &event);
            station_end_by_verdict(station, ticket->seq, ret_end);
            return STATION_ENDED;
        }
        if (r == LANE_CAME && take_reply(station, ticket, &event, out_words, ret_reply) == 0) {
            return STATION_REPLIED;
        }
        if (r == LANE_EXPIRED) {
            station_lane_condemn(station, LANE_DEADLINE, ticket->seq);
        } else if (r != LANE_VERDICT || lane_verdict(station->lane, NULL, NULL) == LANE_LIED) {
            /* The lane gives this verdict itself, but the keeper has to be told. */
            station_lane_condemn(station, LANE_LIED, ticket->seq);
        }
        station_end_by_verdict(station, ticket->seq, ret_end);
        return STATION_ENDED;
    }
}

/* What the keeper does for a process. */
void station_lane_look_at_deadlines(struct station *station)
{
    struct lane_ward ward = {.h = lane_peek_h(station->lane), .w = lane_peek_w(station->lane)};
    struct itimerspec next = {.it_value = {0}};
    uint64_t next_ns = CLOCK_NEVER;
    uint32_t late;
    if (lane_ward_overdue(&ward, clock_now_ns(), &late, &next_ns)) {
        station_lane_condemn(station, LANE_DEADLINE, late);
    } else if (next_ns != CLOCK_NEVER) {
        next.it_value = clock_timespec(next_ns);
    }
    (void)timerfd_settime(station->timer, TFD_TIMER_ABSTIME, &next, NULL);
}

void station_lane_drain_timer(struct station *station)
{
    uint64_t count;
    if (station->timer >= 0 && read(station->timer, &count, sizeof count) > 0) {
        station_lane_look_at_deadlines(station);
    }
}

void station_watch(struct station *station, uint64_t deadline_ns)
{
    if (station->timer >= 0 && lane_needs_watch(station->lane, deadline_ns)) {
        station_lane_look_at_deadlines(station);
    }
    if (!station->keeper || !lane_needs_watch(station->lane, deadline_ns)) {
        return;
    }
    struct errand errand = {.magic = ERRAND_MAGIC,
                            .version = ERRAND_VERSION,
                            .kind = ERRAND_WATCH,
                            .worker = station->number};
    (void)keeper_client_send(station->keeper, &errand, NULL, 0);
}
