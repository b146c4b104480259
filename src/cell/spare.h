/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_SPARE_H
#define CELL_SPARE_H

/*
 * Spares of a cell: recruits that wait for a worker's death, so that the call behind it is served at
 * once. They are ordered by callers, after what the caller wants is on its way and before it is waited
 * for: there is no thread of ours.
 *
 * Only at level process, and only without arenas: an arena belongs to one session and is mapped before
 * any foreign code runs, so a worker that is there already cannot have it.
 *
 * Threads: any; the cell's lock guards the list.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "cell/recruit.h"

struct cordon_cell;
struct cordon_session;

struct spares {
    struct recruit *ready[LIMIT_SPARES_MAX]; /* oldest first */
    uint32_t count;
    uint32_t ordering; /* places taken by those who order one now */
};

/* The oldest spare whose worker lives, or NULL. The caller's now. */
struct recruit *spare_take(struct cordon_cell *cell);

/*
 * A worker has just ended: wake the next one while its caller is told. It looks for a call for a while
 * (LANE_SPIN_WORKER_NS), and sleeps again if none comes.
 */
void spare_nudge(struct cordon_cell *cell);

/*
 * Order what is missing, with the functions bound that @session has bound. A start that fails is left
 * to the next one who needs a worker.
 */
void spare_refill(struct cordon_session *session);

/* End all; nobody orders any more. */
void spare_end(struct cordon_cell *cell);

#endif
