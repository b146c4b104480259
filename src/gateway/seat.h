/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_SEAT_H
#define GATEWAY_SEAT_H

/*
 * Seat: a session of a house with its worker, and the requests in flight there.
 *
 *   EMPTY --prepare--> PREPARING --ready--> READY --lost--> EMPTY
 *                         |  failed: EMPTY, again after a pause
 *   any --close--> CLOSING --> freed
 *
 * Preparing and closing are done in the pool, while nothing is in flight; everything else is the loop's.
 * A worker answers in the order of its calls, so only the first in flight is looked at.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "cordon/batch.h"
#include "gateway/house.h"

struct request;

enum seat_state {
    SEAT_EMPTY = 0,
    SEAT_PREPARING,
    SEAT_READY,
    SEAT_CLOSING,
};

struct seat {
    struct house *house;
    enum seat_state state;
    bool is_own;     /* of one client */
    bool borrowed;   /* the session is the cell's own, not to be closed */
    bool close_soon; /* once its calls have ended */
    struct cordon_session *session;
    struct request *first; /* in flight, oldest first */
    struct request *last;
    uint32_t in_flight;
    bool full;      /* its lane took no more: until one has been collected */
    bool quiet;     /* answers do not ring: the loop is awake */
    bool unflushed; /* submitted, its worker not rung */
    bool busy;      /* in the gateway's list of seats with calls in flight */
    struct seat *next_busy;
    uint64_t expected_ns; /* what is in flight is expected to take */
    uint64_t last_ns;     /* when it was submitted to, or answered, last */

    uv_poll_t poll;
    bool polling;
    uv_work_t work;
    int result;     /* of the work */
    int worker_pid; /* of the last worker that was prepared; 0: there was none, or it is no process */
    uint32_t retry_ms;
    uint64_t retry_ns; /* EMPTY: when preparing may be tried again */
    struct cordon_error error;
    struct { /* what statistics know of its worker's memory */
        int pid;
        uint64_t bytes;
        uint64_t read_ns;
    } memory;
};

/* @session: borrowed of the cell, or NULL: one is opened when it is prepared. NULL: no memory. */
struct seat *seat_new(struct house *house, bool is_own, struct cordon_session *session);

/* Have a worker, if it may be tried now. */
void seat_prepare(struct seat *seat);

/*
 * Give a request to a READY seat. Returns 0; -ENOTCONN: it lost its worker, and is being prepared;
 * -EAGAIN: full; else how the request is refused, told in @ret_refusal.
 */
int seat_submit(struct seat *seat, struct request *request, struct cordon_result *ret_refusal);

/* Wake the worker for what was submitted. */
void seat_flush(struct seat *seat);

/* Collect what has ended; if @idle, spin a little for the first one, where that pays. Returns how many. */
uint32_t seat_collect(struct seat *seat, bool idle);

/* The loop goes to sleep: answers shall ring. True: one has come already. */
bool seat_listen(struct seat *seat);

/*
 * What one more call would wait there, waking the worker included; UINT64_MAX: it cannot be given any. @crowded: as
 * many workers are awake as have CPUs.
 */
uint64_t seat_wait_ns(const struct seat *seat, bool crowded, uint64_t now_ns);

/* Close it in the pool, once nothing is in flight. It frees itself. */
void seat_close(struct seat *seat);

#endif
