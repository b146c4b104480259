/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/station.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/probe.h"
#include "cell/recorder.h"
#include "cell/station_internal.h"
#include "lane/verdict.h"

static _Atomic uint32_t station_numbers;

uint8_t *station_buffer(struct station_buffer *buffer, uint32_t bytes)
{
    if (buffer->bytes >= bytes && buffer->memory) {
        return buffer->memory;
    }
    uint32_t rounded = (bytes + 4095u) & ~4095u;
    uint8_t *memory = rounded >= bytes ? aligned_alloc(64, rounded ? rounded : 4096u) : NULL;
    if (!memory) {
        return NULL;
    }
    free(buffer->memory);
    buffer->memory = memory;
    buffer->bytes = rounded;
    return memory;
}

uint32_t station_new_number(void)
{
    /* Relaxed: only uniqueness matters. */
    return 1 + atomic_fetch_add_explicit(&station_numbers, 1, memory_order_relaxed);
}

int station_open(const struct station_options *options, struct station **ret_station,
                 struct message *why)
{
    struct station *station = calloc(1, sizeof *station);
    if (!station) {
        return message_set(why, -ENOMEM, "not enough memory for a worker");
    }
    station->options = *options;
    station->timer = station->event_fd = -1;
    station->number = station_new_number();
    int r = options->level == CORDON_LEVEL_INLINE ? station_inline_open(station, why)
                                                  : station_lane_open(station, why);
    if (r != 0) {
        station_close(station, true);
        return r;
    }
    PROBE2(worker_start, station->number, (int)options->level);
    *ret_station = station;
    return 0;
}

void station_close(struct station *station, bool wait)
{
    if (!station) {
        return;
    }
    PROBE1(worker_end, station->number);
    station_lane_close(station, wait);
    station_inline_close(station);
    recorder_free(station->recorder);
    for (uint32_t i = 0; i < LIMIT_DEPTH; i++) {
        free(station->frames[i].memory);
        free(station->answers[i].memory);
    }
    fd_release(&station->timer);
    fd_release(&station->event_fd);
    free(station);
}

void station_set_answer(struct station *station,
                        int (*answer)(void *context, struct station_callback *callback),
                        void *context)
{
    station->options.answer = answer;
    station->options.answer_context = context;
}

void station_measure(struct station *station)
{
    struct errand errand = {.magic = ERRAND_MAGIC,
                            .version = ERRAND_VERSION,
                            .kind = ERRAND_MEASURE,
                            .worker = station->number};
    if (station->keeper) {
        (void)keeper_client_send(station->keeper, &errand, NULL, 0);
    }
}

uint64_t station_resident_bytes(const struct station *station)
{
    const struct lane_host_page *h = station->lane ? lane_peek_h(station->lane) : NULL;
    /* Relaxed: a number that stands alone. */
    return h ? atomic_load_explicit(&h->resident_bytes, memory_order_relaxed) : 0;
}

const struct lane_host_page *station_peek_h(const struct station *station)
{
    bool is_process = station->keeper || station->seat;
    return station->lane && is_process ? lane_peek_h(station->lane) : NULL;
}

void station_say_why(struct station *station, uint32_t reason)
{
    station->end_reason = reason;
}

uint32_t station_number(const struct station *station)
{
    return station->number;
}

bool station_broken(const struct station *station)
{
    return station->lane ? lane_verdict(station->lane, NULL, NULL) != LANE_ALIVE : station->broken;
}

void station_condemn(struct station *station, enum lane_verdict verdict)
{
    if (station->lane) {
        station_lane_condemn(station, verdict, 0);
    }
}

/* Inline rooms are a stack: the calls of one thread nest. */
static int inline_room_new(struct station *station, uint32_t request_bytes, uint32_t reply_bytes,
                           struct station_room *ret_room)
{
    uint32_t half = station->options.call_bytes;
    uint32_t request_left = half - station->request_used;
    uint32_t reply_left = half - station->reply_used;
    if (request_bytes == UINT32_MAX) {
        request_bytes = request_left;
    }
    if (reply_bytes == UINT32_MAX) {
        reply_bytes = reply_left;
    }
    if (request_bytes > half || reply_bytes > half) {
        return -E2BIG;
    }
    if (request_bytes > request_left || reply_bytes > reply_left) {
        return -EAGAIN;
    }
    *ret_room = (struct station_room){
        .request = station->memory + station->request_used,
        .request_bytes = request_bytes,
        .reply_bytes = reply_bytes,
        .lane = {station->request_used, request_bytes, station->reply_used, reply_bytes}};
    station->request_used += request_bytes;
    station->reply_used += reply_bytes;
    return 0;
}

int station_room_new(struct station *station, uint32_t request_bytes, uint32_t reply_bytes,
                     struct station_room *ret_room)
{
    if (!station->lane) {
        return inline_room_new(station, request_bytes, reply_bytes, ret_room);
    }
    struct lane_room room;
    int r = lane_room_new(station->lane, request_bytes, reply_bytes, &room);
    if (r != 0) {
        return r;
    }
    *ret_room = (struct station_room){.request = lane_room_h(station->lane, &room),
                                      .request_bytes = room.h_bytes,
                                      .reply_bytes = room.w_bytes,
                                      .lane = room};
    return 0;
}

static uint32_t align64(uint32_t bytes)
{
    return (bytes + 63u) & ~63u;
}

void station_room_shrink(struct station *station, struct station_room *room, uint32_t request_bytes,
                         uint32_t reply_bytes)
{
    if (station->lane) {
        lane_room_shrink(station->lane, &room->lane, request_bytes, reply_bytes);
        room->request_bytes = room->lane.h_bytes;
        room->reply_bytes = room->lane.w_bytes;
        return;
    }
    uint32_t request = align64(request_bytes);
    uint32_t reply = align64(reply_bytes);
    if (request <= room->request_bytes) {
        station->request_used -= room->request_bytes - request;
        room->request_bytes = request;
    }
    if (reply <= room->reply_bytes) {
        station->reply_used -= room->reply_bytes - reply;
        room->reply_bytes = reply;
    }
    room->lane.h_bytes = room->request_bytes;
    room->lane.w_bytes = room->reply_bytes;
}

void station_room_free(struct station *station, const struct station_room *room)
{
    if (station->lane) {
        lane_room_free(station->lane, &room->lane);
        return;
    }
    /* Rooms of one depth end in any order (batches): the stack falls to the lowest one given back. */
    if (room->lane.h_at < station->request_used) {
        station->request_used = room->lane.h_at;
    }
    if (room->lane.w_at < station->reply_used) {
        station->reply_used = room->lane.w_at;
    }
}

static int submit_recorded(struct station *station, const struct station_request *request,
                           bool ring, uint32_t outer_seq, struct station_ticket *ticket)
{
    /* First: what ends the worker is to be in it. */
    recorder_call(station->recorder, request, outer_seq);
    int r = station_lane_submit(station, request, ring, outer_seq != 0, outer_seq, ticket);
    if (r != 0) {
        recorder_unsent(station->recorder, outer_seq);
    }
    return r;
}

int station_submit(struct station *station, const struct station_request *request, bool ring,
                   struct station_ticket *ticket)
{
    if (!station->lane) {
        int r = station_inline_execute(station, request, ticket);
        if (r == 0 && !ring && station->event_fd >= 0) {
            lane_ring_event(station->event_fd); /* nobody waits: it is collected later */
        }
        return r;
    }
    if (station->recorder) {
        return submit_recorded(station, request, ring, 0, ticket);
    }
    return station_lane_submit(station, request, ring, false, 0, ticket);
}

int station_submit_nested(struct station *station, const struct station_request *request,
                          uint32_t outer_seq, struct station_ticket *ticket)
{
    if (!station->lane) {
        return station_inline_execute(station, request, ticket);
    }
    return station->recorder ? submit_recorded(station, request, true, outer_seq, ticket)
                             : station_lane_submit(station, request, true, true, outer_seq, ticket);
}

void station_ring(struct station *station)
{
    if (station->lane) {
        lane_ring(station->lane);
    }
}

void station_nudge(struct station *station)
{
    if (station->lane) {
        lane_nudge(station->lane);
    }
}

int station_await(struct station *station, const struct station_ticket *ticket, uint32_t out_words,
                  uint64_t until_ns, uint64_t deadline_ns, struct station_reply *ret_reply,
                  struct station_end *ret_end)
{
    if (station->lane) {
        int r = station_lane_await(station, ticket, out_words, until_ns, deadline_ns, ret_reply,
                                   ret_end);
        if (station->recorder && r == STATION_REPLIED) {
            recorder_return(station->recorder, ticket->seq, station->depth > 0, ret_reply,
                            out_words);
        }
        return r;
    }
    if (station->broken && !ticket->done) {
        *ret_end = station->end;
        return STATION_ENDED;
    }
    const struct engine_reply *done = ticket->done;
    if (done->status == INT32_MIN) {
        *ret_end = station->end;
        return STATION_ENDED;
    }
    ret_reply->status = done->status;
    ret_reply->error_number = done->error_number;
    ret_reply->reply_bytes = done->reply_bytes;
    ret_reply->reply = ticket->room
                           ? station->memory + station->options.call_bytes + ticket->room->lane.w_at
                           : NULL;
    for (uint32_t i = 0; i < out_words && i < CORDON_PLAN_WORDS_MAX; i++) {
        ret_reply->words[i] = done->words[i];
    }
    return STATION_REPLIED;
}

void station_ended(const struct station *station, struct station_end *ret_end)
{
    if (station->lane) {
        station_lane_ended(station, ret_end);
    } else {
        *ret_end = station->end;
    }
}

void station_collect(struct station *station, const struct station_ticket *ticket)
{
    if (station->lane) {
        lane_collect(station->lane, ticket->seq);
    }
}

int station_event_fd(const struct station *station)
{
    return station->lane ? lane_peek_event_fd(station->lane) : station->event_fd;
}

int station_bell_fd(const struct station *station)
{
    return station->lane ? lane_peek_bell_fd(station->lane) : -1;
}

int station_seat_fd(const struct station *station)
{
    return station->seat ? station->seat->socket : -1;
}

int station_timer_fd(const struct station *station)
{
    return station->timer;
}

void station_drain_event(struct station *station)
{
    uint64_t count;
    if (station->lane) {
        lane_drain_event(station->lane);
        station_lane_drain_timer(station);
        if (station->seat) {
            station_lease_check(station);
        }
    } else if (station->event_fd >= 0) {
        (void)!read(station->event_fd, &count, sizeof count);
    }
}

void station_set_pid(struct station *station, uint64_t pid)
{
    station->pid = pid <= INT32_MAX ? (int)pid : 0;
}

int station_pid(const struct station *station)
{
    return station->pid;
}
