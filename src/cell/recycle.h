/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_RECYCLE_H
#define CELL_RECYCLE_H

/*
 * Recycling: a worker that has served its calls, its time or its memory is replaced between two calls,
 * if it holds nothing that its session could miss: no handle, resident object, kept memory or callback
 * beyond what its on_start calls made. Else it goes on, as WORN, and is looked at again; the bound is
 * the cell's memory_bytes, where the library's allocations fail.
 *
 * There is no tick: every RECYCLE_CALLS calls, or every second if that is sooner, one call takes the
 * time to look. The resident memory is measured by the keeper, at most once a second; the number is
 * read at the look after.
 *
 * Threads: the session's holder.
 */

#include <stdbool.h>
#include <stdint.h>

#define RECYCLE_CALLS 256u

struct cordon_session;

struct recycle {
    uint64_t look_at; /* when counts.calls gets there */
    uint64_t look_every;
    uint64_t look_ns;    /* when it was looked at last */
    uint64_t measure_ns; /* when memory was measured last */
    uint64_t calls;      /* counts.calls when the worker began to serve */
    uint64_t since_ns;   /* when that was */
    uint64_t holdings;   /* what it held then */
    uint32_t reason;     /* enum errand_reason: of its being worn */
};

/* The session has a fresh worker. @holdings: what it holds already. */
void recycle_begin(struct cordon_session *session, uint64_t holdings);

/*
 * The next call is about to be sent to a worker that does nothing now. True: it is worn and holds
 * nothing; it is to be replaced.
 */
bool recycle_look(struct cordon_session *session);
/* The same before the call is counted. */
bool recycle_look_ahead(struct cordon_session *session);

/* Its worker, which does nothing now, holds nothing that the session could miss. */
bool recycle_holds_nothing(struct cordon_session *session);

#endif
