/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_RECRUIT_H
#define CELL_RECRUIT_H

/*
 * Recruit: a worker on its way to a session. It is ordered, asked at once for all that comes before its
 * first call - greeting, on_start calls, functions to be bound - and answers in its own time; nobody
 * has to wait until it is needed.
 *
 * Life: new (ordered and asked), ready (all answered), then its station and what is known of it go to a
 * session; free. A spare is a recruit that nobody needs yet.
 *
 * Threads: one at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "cell/life.h"
#include "cell/station.h"

struct cordon_cell;
struct cordon_function;

#define RECRUIT_FLIGHT 48u /* questions on their way at once: fewer than a lane has slots */
#define RECRUIT_BINDS  16u /* functions bound ahead */

enum recruit_kind {
    RECRUIT_HELLO,
    RECRUIT_BIND, /* must work: an on_start call comes next */
    RECRUIT_ON_START,
    RECRUIT_HOLDINGS, /* what it holds after its on_start calls */
    RECRUIT_BIND_AHEAD,
};

struct recruit_question {
    enum recruit_kind kind;
    const struct cordon_function *function;
    struct station_ticket ticket;
    struct station_room room;
    bool has_room;
};

struct recruit {
    struct cordon_cell *cell;
    struct station *station; /* NULL: a session has it */
    struct life life;
    uint64_t *bound;        /* bit per function id; owned */
    uint64_t holdings;      /* what it held when it was ready */
    uint32_t on_start_done; /* recorded calls that it has been asked */
    uint64_t deadline_ns;

    bool has_greeted; /* asked, like the rest */
    bool has_bound;   /* for the on_start call that comes next */
    bool has_counted;
    const struct cordon_function *ahead[RECRUIT_BINDS];
    uint32_t ahead_count;
    uint32_t ahead_done;
    uint32_t asked;
    uint32_t answered;
    struct recruit_question questions[RECRUIT_FLIGHT];
    struct engine_reply done; /* level inline */
};

/*
 * Order a worker and ask it; does not wait.
 * @options  of its station; its callbacks fail until a session has it.
 */
int recruit_new(struct cordon_cell *cell, const struct station_options *options,
                const struct cordon_function *const *ahead, uint32_t ahead_count,
                struct recruit **ret_recruit, struct message *why);

/*
 * Wait until it has answered everything, what was recorded since then included. Returns 0; or how the
 * start failed: an outcome, or a negative errno.
 */
int recruit_finish(struct recruit *recruit, struct message *why);

/* Ends the worker unless it was given away. NULL is fine. */
void recruit_free(struct recruit *recruit, bool wait);

#endif
