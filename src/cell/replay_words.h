/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_REPLAY_WORDS_H
#define CELL_REPLAY_WORDS_H

/*
 * Words of a replay: which of a call's words are handles, what a recorded handle is called by the fresh worker,
 * and what else is not as it was. Handles inside of memory are sent as they were recorded: a worker that is
 * asked the same gives the same numbers.
 *
 * Threads: one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/message.h"
#include "cell/callback.h"
#include "prototype/plan.h"
#include "report/recording.h"

#define REPLAY_HANDLES_MAX 4096u /* that have other numbers than they had */

/* A function, or the shape of a callback; plan NULL: not known. */
struct replay_shape {
    const struct plan *plan;
    uint32_t function;
};

struct replay_words {
    const struct plan *plans[LIMIT_FUNCTIONS]; /* as they were bound */
    struct replay_shape callbacks[CALLBACKS_MAX + 1];
    struct replay_pair {
        uint64_t then;
        uint64_t now;
    } * pairs;
    uint32_t pair_count;
    bool has_lost; /* a handle's number, beyond REPLAY_HANDLES_MAX: what comes next would lie */
};

/* Learn what a request to bind says. False: its plan is not sound, or its number none. */
bool replay_words_bind(struct replay_words *words, const struct recording_part *call);

/* What function @id is; 0 where it is not bound. */
struct replay_shape replay_words_function(const struct replay_words *words, uint32_t id);
struct replay_shape replay_words_callback(const struct replay_words *words, uint32_t id);

/* "sqlite3_step"; "" for a request of Cordon itself. */
const char *replay_words_name(const struct replay_words *words, uint32_t id);

/*
 * Make a recorded request one to the fresh worker: @to is a copy of its words, @frame of its bytes or NULL. Notes
 * which shape its callbacks have.
 */
void replay_words_request(struct replay_words *words, const struct recording_part *call,
                          uint64_t *to, uint8_t *frame);

/* The same of an answer to a callback. */
void replay_words_answer(const struct replay_words *words, struct replay_shape shape,
                         const struct recording_part *answer, uint64_t *to);

/*
 * Compare what came with what came then, and learn handles. True with a sentence: they differ.
 */
bool replay_words_differ_reply(struct replay_words *words, const struct recording_part *call,
                               const struct recording_part *reply, const uint64_t *now,
                               struct message *what);
bool replay_words_differ_callback(struct replay_words *words, const struct recording_part *then,
                                  const uint64_t *now, uint32_t now_count, struct message *what);

#endif
