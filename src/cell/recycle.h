/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_RECYCLE_H
#define CELL_RECYCLE_H

/*
 * Recycling: a worker that has served its calls, its time or its memory is replaced between two calls,
 * if it holds nothing that its session could miss: no handle, resident object, kept memory or callback
 * beyond what its on_start calls made. Else it goes on, as WORN, and is looked at again; the bound is
 * the cell's memory_bytes, where the library's allocations fail.
 *
 * After exactly as many calls as it may serve a worker is looked at; one with calls in flight then is
 * replaced by the first call that finds none there. For the rest there is no tick: every RECYCLE_CALLS
 * calls, or every second if that is sooner, one call takes the time to look. The resident memory is
 * measured by the keeper, at most once a second; the number is read at the look after.
 *
 * Threads: the session's holder.
 */

#include <stdbool.h>
#include <stdint.h>

#define RECYCLE_CALLS 256u

struct cordon_session;

struct recycle {
    uint64_t aside;   /* of counts.calls, those that no worker has been sent: the rest are served */
    uint64_t look_at; /* when so many are served */
    uint64_t look_every;
    uint64_t look_ns;    /* when it was looked at last */
    uint64_t measure_ns; /* when memory was measured last */
    uint64_t calls;      /* served when the worker began to serve */
    uint64_t since_ns;   /* when that was */
    uint64_t holdings;   /* what it held then */
    uint32_t reason;     /* enum errand_reason: of its being worn */
};

/* The session has a fresh worker. @holdings: what it holds already. */
void recycle_begin(struct cordon_session *session, uint64_t holdings);

/*
 * A call may be about to be sent. True: the worker does nothing now, is worn and holds nothing; it is to
 * be replaced.
 */
bool recycle_look(struct cordon_session *session);

/* A call has been counted and is to be sent; and it was. What is refused in between stays aside. */
void recycle_aside(struct cordon_session *session);
void recycle_sent(struct cordon_session *session);

/* Its worker, which does nothing now, holds nothing that the session could miss. */
bool recycle_holds_nothing(struct cordon_session *session);

#endif
