/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_PLACE_H
#define CELL_PLACE_H

/*
 * Place: the worker's side of a lane that no thread serves: who has sent a call executes it there, on its own thread
 * (level inline, lent within this process).
 *
 * A fault in native code gives the lane the verdict LANE_DIED with the signal. One that happens inside of a callback's
 * own call ends that call; the host's frames lie between it and the outer one, which ends in the same way as soon as
 * the host has returned.
 *
 * Life: new, held by as many as there are; with the last one lane and engine end.
 *
 * Threads: holding any; serving one at a time, and from inside of a relay the one that is there.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "cordon/lease.h"
#include "frame/frame.h"
#include "lane/host.h"
#include "serve/provision.h"

struct place_options {
    struct lane *lane; /* the place's from then on */
    void *resolve_context;
    void *(*resolve)(void *context, const char *symbol);
    struct frame_arena arena;
    struct provision *provision; /* what is done before the first call; executed here and now */
};

int place_new(const struct place_options *options, struct cordon_place **ret_place,
              struct message *why);

void place_hold(struct cordon_place *place);
/* NULL is fine. */
void place_drop(struct cordon_place *place);
/* The same by who has served it: under a verdict nothing of a call is left from then on, and the lane says so. */
void place_leave(struct cordon_place *place);

/* No call is begun there any more. */
void place_condemn(struct cordon_place *place);

/* As cordon_place_serve(). */
void place_serve(struct cordon_place *place, void (*relay)(void *context), void *context);

#endif
