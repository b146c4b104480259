/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_LIFE_H
#define CELL_LIFE_H

/*
 * Life of a worker as its host sees it, from the order to start it until it is of no more use.
 *
 *            ORDERED            ANSWERED         ADOPTED, PROMOTED        WORN
 *   NOTHING ---------> STARTING ---------> READY -----------------> SERVING ----> WORN
 *                         |                  |                        |            | RECYCLED
 *                         +------------------+---- BROKE, DISMISSED --+------------+--> ENDED
 *
 * The keeper has a table of its own for the process (src/keeper/ward.c); here a worker is a station at
 * whatever level.
 *
 * Threads: whoever owns the worker at the moment; the counts are everybody's.
 */

#include <stdatomic.h>
#include <stdint.h>

enum life_state {
    LIFE_NOTHING = 0,
    LIFE_STARTING, /* ordered: the library is being loaded, on_start calls are under way */
    LIFE_READY,    /* has answered all that; a spare's answers are looked at when it is wanted */
    LIFE_SERVING,  /* has a session */
    LIFE_WORN,     /* has served enough; goes as soon as it holds nothing of the session */
    LIFE_ENDED,
    LIFE_STATE_COUNT,
};

enum life_event {
    LIFE_ORDERED,   /* its start has been asked for */
    LIFE_ANSWERED,  /* it has greeted and executed what each worker begins with */
    LIFE_ADOPTED,   /* a session that waited for it has it */
    LIFE_PROMOTED,  /* it took a dead or recycled worker's place */
    LIFE_WEARS,     /* a limit of recycling is reached */
    LIFE_RECYCLED,  /* it held nothing: another one takes its place */
    LIFE_BROKE,     /* a verdict stands */
    LIFE_DISMISSED, /* nobody needs it any more: a close */
    LIFE_EVENT_COUNT,
};

struct life {
    enum life_state state;
};

/* What became of a cell's workers, ever. */
struct life_counts {
    _Atomic uint32_t started; /* put to work for a session */
    _Atomic uint64_t promoted;
    _Atomic uint64_t recycled;
    _Atomic uint64_t starts_failed;
};

void life_step(struct life *life, enum life_event event, struct life_counts *counts);

#endif
