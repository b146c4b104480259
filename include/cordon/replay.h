/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_REPLAY_H
#define CORDON_REPLAY_H

/*
 * Replay: a recorded session once more. A cell with the option `record` keeps what each worker was asked since its
 * start; a report of that worker holds it (member call.replay.session.recording, in Base64). Replayed, the same
 * requests go in the same order to a fresh worker, its callbacks get the answers that they got, and the arena
 * lies where it lay; what comes back is compared with what came then.
 *
 * A recording is input: it is judged, and a worker of the cell's policy is all that it reaches. At level inline
 * nothing keeps what it asks for from this process.
 */

#include <stddef.h>
#include <stdint.h>

#include "cordon/cell.h"
#include "cordon/error.h"
#include "cordon/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A call that has been made again. Requests of Cordon itself - binding, objects - are calls without a name. */
struct cordon_replay_step {
    uint32_t call;        /* its number among the worker's calls, from 1 */
    uint32_t depth;       /* callbacks around it */
    const char *function; /* lent; "" for a request of Cordon itself */
    const char *differs;  /* lent; a sentence: what is not as it was; NULL: all is */
};

/* Start from all zero, with its size. */
struct cordon_replay_options {
    size_t size;           /* sizeof(struct cordon_replay_options) */
    const void *recording; /* aligned to 8; unchanged meanwhile */
    size_t recording_bytes;
    uint32_t until;      /* the last call to make (a report's call.number); 0: all */
    uint64_t timeout_ns; /* of each call; 0: the deadline that it had */
    void (*step)(void *context, const struct cordon_replay_step *step); /* may be NULL */
    void *context;
};

/* How it went. `outcome` and what follows it is of the last call that was made. */
struct cordon_replay_result {
    int outcome; /* enum cordon_outcome */
    int signal;
    int exit_status;
    uint32_t call;        /* its number; smaller than `until` if an earlier one ended the worker */
    char function[128];   /* "" for a request of Cordon itself */
    uint32_t differences; /* how many calls went otherwise than they did */
    uint32_t differs_at;  /* the first of them; 0: none */
    struct cordon_error difference; /* what was different there */
    struct cordon_error error;      /* the sentence of `outcome` */
};

/*
 * Replay a recording in @cell, by a worker of its own, which ends with this. The cell's library, level, policy and
 * limits count; it needs no functions, and no arena.
 *
 * Returns 0 with @ret_result, or a negative errno: -EBADMSG (the recording is not sound, or another library's),
 * -EPROTO (of another build of Cordon), -EEXIST (something else lies where its arena lay: try again in a fresh
 * process), -E2BIG, -ENOMEM, -ESHUTDOWN, -ECHILD, or what starting a worker met.
 * Threads: any.
 */
CORDON_API CORDON_MUST_USE int cordon_replay(struct cordon_cell *cell,
                                             const struct cordon_replay_options *options,
                                             struct cordon_replay_result *ret_result,
                                             struct cordon_error *ret_error);

#ifdef __cplusplus
}
#endif

#endif
