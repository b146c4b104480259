/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_STATION_H
#define CELL_STATION_H

/*
 * Station: one worker as a session sees it, whatever the level: a process or a thread behind a lane, or
 * an inline engine. Requests go in, replies and callbacks come out.
 *
 * Life: open (worker started), requests, broken (a verdict stands: every request ends by it), close.
 * A station is never mended: the session opens the next one, with another worker number.
 *
 * Threads: one at a time; the session locks.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "cell/arena.h"
#include "cell/fault.h"
#include "cell/keeper_share.h"
#include "cordon/cell.h"
#include "frame/frame.h"
#include "invoke/engine.h"
#include "lane/host.h"
#include "lane/lease.h"

struct attachment;
struct station;
struct reporting;
struct reporting_end;

/* A callback of native code, to be answered by the session. */
struct station_callback {
    uint32_t id;
    uint32_t word_count;
    const uint64_t *words;
    const uint8_t *frame; /* private, unchanging, aligned to 16; NULL: only words */
    uint32_t frame_bytes;
    uint32_t reply_bytes_max;
    uint8_t *reply; /* aligned to 16; NULL when reply_bytes_max is 0 */
    int error;      /* not 0: there is no depth or room for it; it is not run, only judged */
    /* The answer: */
    uint64_t reply_words[CORDON_PLAN_WORDS_MAX];
    uint32_t reply_word_count;
    uint32_t reply_bytes;
};

struct station_options {
    enum cordon_level level;
    const struct policy *policy; /* borrowed */
    const char *library;
    struct keeper_share *keeper;   /* process; NULL: attachment */
    struct attachment *attachment; /* process: its worker is a daemon's; NULL: our keeper's */
    void *resolve_context;         /* thread, inline */
    void *(*resolve)(void *context, const char *symbol);
    const struct arena *arena; /* NULL: none */
    uint32_t call_bytes;
    uint64_t start_timeout_ns;
    uint32_t without;
    const struct reporting *reporting; /* process; its directory and card are the cell's */
    uint64_t record_bytes;             /* process, with reports; 0: nothing is recorded */
    bool events;
    /* Answer a callback: 0; -ECANCELED: failed, the library gets the declared failure value;
       -ECONNABORTED: failed, and there is none. */
    int (*answer)(void *context, struct station_callback *callback);
    void *answer_context;
};

/* Start a worker; does not wait until it has loaded its library. */
int station_open(const struct station_options *options, struct station **ret_station,
                 struct message *why);

/*
 * End the worker; @wait: until nothing of it is left (bounded). Calls in flight end by verdict. NULL is
 * fine.
 */
void station_close(struct station *station, bool wait);

/* Who answers its callbacks from now on. */
void station_set_answer(struct station *station,
                        int (*answer)(void *context, struct station_callback *callback),
                        void *context);

/* Have the worker's memory measured (level process). Does not wait. */
void station_measure(struct station *station);
/* What came of it last; 0: nothing yet. */
uint64_t station_resident_bytes(const struct station *station);

/* H of its lane, for who looks at what the keeper writes there; NULL: it has none. */
const struct lane_host_page *station_peek_h(const struct station *station);

/* Its worker is replaced although it is well: enum errand_reason. Told when it is closed. */
void station_say_why(struct station *station, uint32_t reason);

/* Its worker's number: never used twice in this process. */
uint32_t station_number(const struct station *station);
/* A fresh one, for a worker that is no station's: it is lent. */
uint32_t station_new_number(void);

/* True once a verdict stands, or an inline engine faulted. */
bool station_broken(const struct station *station);

/* End it by this verdict, if none stands. Any thread. */
void station_condemn(struct station *station, enum lane_verdict verdict);

/* Where a request is written and its reply comes; given back by station_room_free(). */
struct station_room {
    uint8_t *request;
    uint32_t request_bytes;
    uint32_t reply_bytes;
    struct lane_room lane; /* process, thread */
};

/*
 * Reserve; UINT32_MAX each way: as much as there is (only with nothing else in flight at this depth).
 * Returns 0, -EAGAIN (calls in flight leave too little), -E2BIG.
 */
int station_room_new(struct station *station, uint32_t request_bytes, uint32_t reply_bytes,
                     struct station_room *ret_room);
void station_room_shrink(struct station *station, struct station_room *room, uint32_t request_bytes,
                         uint32_t reply_bytes);
void station_room_free(struct station *station, const struct station_room *room);

struct station_request {
    uint32_t function_id;
    uint32_t word_count;
    const uint64_t *words;
    const struct station_room *room; /* NULL: only words */
    uint32_t request_bytes;
    uint32_t reply_fixed;
    uint32_t reply_bytes_max;
    uint64_t deadline_ns;
};

/* A request on its way. */
struct station_ticket {
    uint32_t seq;
    uint32_t reply_bytes_max;
    const struct station_room *room;
    struct engine_reply *done; /* inline: the reply, at once */
    const struct lane_event
        *came; /* process, thread: an event that was taken already; NULL: none */
};

struct station_reply {
    int32_t status; /* 0, or a negative errno of the engine: its sentence is in the bytes */
    int32_t error_number;
    uint32_t reply_bytes;
    const volatile uint8_t *reply;
    uint64_t words[CORDON_PLAN_WORDS_MAX];
};

/* How requests end other than by a reply. */
struct station_end {
    int outcome; /* enum cordon_outcome, or a negative errno (the worker could not start) */
    int signal;
    int exit_status;
    bool exited;     /* thread, inline: it called exit(), or the like */
    uint64_t report; /* what is known of it will be in this report; 0: in none */
    bool unbegun;    /* it was not begun: the call may be sent to another worker */
    struct message why;
};

/*
 * Submit. @ring: wake the worker. Returns 0; -EAGAIN with too many in flight; -EPIPE when broken.
 * At level inline the request is executed before this returns; @ticket->done must be storage for it.
 */
int station_submit(struct station *station, const struct station_request *request, bool ring,
                   struct station_ticket *ticket);

/* Submit from inside a callback: in the slot of the outer call. */
int station_submit_nested(struct station *station, const struct station_request *request,
                          uint32_t outer_seq, struct station_ticket *ticket);

void station_ring(struct station *station);

/* A call is about to come: wake its worker beforehand. */
void station_nudge(struct station *station);

enum station_wait {
    STATION_REPLIED = 0,
    STATION_ENDED = 1,   /* ret_end */
    STATION_EXPIRED = 2, /* until_ns passed; deadline_ns not yet */
};

/*
 * Wait until @until_ns for the reply; answers callbacks meanwhile. When @deadline_ns passes, gives the
 * verdict and ends the worker.
 * @out_words  how many reply words the plan has.
 */
int station_await(struct station *station, const struct station_ticket *ticket, uint32_t out_words,
                  uint64_t until_ns, uint64_t deadline_ns, struct station_reply *ret_reply,
                  struct station_end *ret_end);

/*
 * Thread, inline: what a report of the end of its calls is made of. @seq: the call in the lane. @look: its
 * thread, which runs on, is asked where it stands. @ret_end points into the station, and to @why.
 */
void station_testify(struct station *station, uint32_t seq, bool look,
                     struct reporting_end *ret_end, struct message *why);

/* How a broken station ended, for a request that it did not take. */
void station_ended(const struct station *station, struct station_end *ret_end);

/* The request is over (replied and decoded, or ended): its slot is free. */
void station_collect(struct station *station, const struct station_ticket *ticket);

/*
 * What the board of the daemon says whose worker it is (enum lease_weather), and until when; *ret_is_old: something
 * else is lent by now. LEASE_CALM where there is no daemon.
 */
enum lease_weather station_weather(const struct station *station, uint64_t *ret_until_ns,
                                   bool *ret_is_old);

/* Make sure that deadlines of calls nobody waits for are enforced. */
void station_watch(struct station *station, uint64_t deadline_ns);

/*
 * Descriptors that poll readable when something can be collected, and when a deadline passes that nobody
 * else enforces (level thread); -1: none. Draining looks at such deadlines.
 */
int station_event_fd(const struct station *station);
int station_bell_fd(const struct station *station); /* of verdicts: the worker has none of it */
int station_timer_fd(const struct station *station);
int station_seat_fd(const struct station *station); /* a daemon's news of its worker */
void station_drain_event(struct station *station);

/* For tests and people: the worker's pid as its HELLO claimed it. */
void station_set_pid(struct station *station, uint64_t pid);
int station_pid(const struct station *station);

#endif
