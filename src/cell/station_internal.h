/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_STATION_INTERNAL_H
#define CELL_STATION_INTERNAL_H

/*
 * What the files of a station share: station.c (any level); for process and thread station_worker.c (how its worker
 * begins and ends), station_lane.c (its calls), station_callback.c, station_end.c (what a verdict means);
 * station_inline.c.
 */

#include "base/limits.h"
#include "cell/attachment.h"
#include "cell/inline_worker.h"
#include "cell/local_worker.h"
#include "cell/station.h"

/* A private copy of a callback's frame, or its answer at level inline: one per depth, reused. */
struct station_buffer {
    uint8_t *memory;
    uint32_t bytes;
};

struct station {
    struct station_options options;
    uint32_t number;
    uint32_t end_reason; /* enum errand_reason, that the keeper is told */
    int pid;             /* as the worker itself sees it */
    int host_pid;        /* as this process does; 0: not looked for yet */
    bool broken;         /* inline: faulted; lanes have their verdict */
    uint32_t depth;      /* callbacks being answered */
    struct station_buffer frames[LIMIT_DEPTH];

    /* process, thread */
    struct lane *lane;
    uint64_t report_id;        /* process; 0: none is made */
    struct recorder *recorder; /* process; NULL: nothing is recorded */
    struct lane_room
        answers_read[LANE_SLOTS];    /* callbacks' answers that outlasted a wait, by slot */
    struct keeper_client *keeper;    /* process; borrowed from the share */
    struct attached_seat *seat;      /* process: its worker is a daemon's; taken */
    const struct lease_board *board; /* of the seat; NULL: there is none */
    uint32_t calm;                   /* what the board says if nothing is to be looked at */
    struct local_worker *local;      /* thread */
    int timer;                       /* thread, with events: the next deadline; -1: none */

    /* inline */
    int event_fd; /* with events: a batch's call has been executed; -1: none */
    struct inline_worker *engine;
    struct lane_host_page *page; /* what a lane would have of the last calls; NULL: nobody asks */
    uint32_t fault_seq;          /* the call by which it broke; 0: none */
    uint8_t *memory;             /* requests in the first half, replies in the second */
    uint32_t request_used;
    uint32_t reply_used;
    struct station_end end; /* how it broke */
    struct station_buffer answers[LIMIT_DEPTH];
};

/* Nothing is to be looked at before a call. One load, of a line that hardly ever changes. */
static inline bool station_is_calm(const struct station *station)
{
    /* Relaxed: what changes during this look is met by the next one. */
    return !station->board ||
           atomic_load_explicit(&station->board->now, memory_order_relaxed) == station->calm;
}

/* Room for @bytes at @depth; old contents are lost. NULL: no memory. */
uint8_t *station_buffer(struct station_buffer *buffer, uint32_t bytes);

int station_lane_open(struct station *station, struct message *why);

/* A worker of a daemon, on the lane that is there already. */
int station_lease_open(struct station *station, struct message *why);
void station_lease_check(struct station *station);

uint32_t station_lane_h_bytes(const struct station *station);
void station_lane_close(struct station *station, bool wait);
/* Between slices of waiting, a lane_await() check: is the keeper there? Context: the station. */
int station_check(void *context);
void station_lane_condemn(struct station *station, enum lane_verdict verdict, uint32_t seq);
void station_lane_ended(const struct station *station, struct station_end *ret_end);
/* What the verdict means for call @seq, the one before it that is blamed included. */
void station_end_by_verdict(const struct station *station, uint32_t seq, struct station_end *end);
/*
 * Answer a callback. The answer's room, if @ret_has_room says that there is one, stays taken until the conversation
 * has gone on: the worker reads it there.
 */
void station_answer_callback(struct station *station, uint32_t seq, const struct lane_event *event,
                             struct lane_room *ret_room, bool *ret_has_room);
int station_lane_submit(struct station *station, const struct station_request *request, bool ring,
                        bool nested, uint32_t outer_seq, struct station_ticket *ticket);
int station_lane_await(struct station *station, const struct station_ticket *ticket,
                       uint32_t out_words, uint64_t until_ns, uint64_t deadline_ns,
                       struct station_reply *ret_reply, struct station_end *ret_end);

/* Thread, with events: end what is late, and set the timer to what comes next. */
void station_lane_look_at_deadlines(struct station *station);
void station_lane_drain_timer(struct station *station);

int station_inline_open(struct station *station, struct message *why);
void station_inline_close(struct station *station);
int station_inline_execute(struct station *station, const struct station_request *request,
                           struct station_ticket *ticket);

#endif
