/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_REPLAY_INTERNAL_H
#define CELL_REPLAY_INTERNAL_H

/* What replay.c (a recording from its first call to its last) and replay_call.c (one call) share. */

#include "cell/cell.h"
#include "cell/replay.h"
#include "cell/replay_words.h"
#include "cell/station.h"
#include "report/recording.h"

struct replay {
    struct cordon_cell *cell;
    const struct cordon_replay_options *options;
    struct cordon_replay_result *result;
    struct recording_view view;
    struct replay_words *words;
    struct arena *arena; /* NULL: the session had none */
    struct station *station;
    const struct recording_part *at;  /* the next entry of the call */
    const struct recording_part *end; /* of the call */
    uint32_t call;                    /* the top-level one */
    uint32_t seq;                     /* by which the station knows it */
    uint32_t depth;
    bool different; /* the call in progress, with `what` */
    struct message what;
};

/*
 * Make the call at the cursor again. Returns 0; 1: the worker has ended; or a negative errno. @nested: from inside
 * of a callback.
 */
int replay_call(struct replay *replay, bool nested, struct message *why);

/* station_options.answer, context the replay. */
int replay_answer(void *context, struct station_callback *callback);

#endif
