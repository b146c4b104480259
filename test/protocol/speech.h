/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOL_SPEECH_H
#define PROTOCOL_SPEECH_H

/* Speech: how the hostile worker talks on its lane - soundly, or in whatever words it is given. */

#include <stdbool.h>
#include <stdint.h>

#include "lane/layout.h"
#include "lane/start.h"

struct enemy {
    struct start_order order;
    const struct lane_host_page *h;
    struct lane_worker_page *w;
    uint32_t slot;
    uint32_t turns[LANE_SLOTS];
    uint32_t depth; /* callbacks that the host has not answered */
    uint64_t random;
    uint64_t seed;
    uint32_t keeper_id;   /* the function "keep" */
    bool keeps;           /* it was called: callback 1 is known for good */
    bool restless;        /* never sleeps, and says so */
    uint64_t layout_hash; /* of the plan bound last */
    /* What the host asked last. */
    enum lane_verb verb;
    uint32_t tag;
    uint64_t words[LANE_WORDS];
};

/* Numbers of the seed; below @limit; one that likes to be at an edge of something. */
uint64_t speech_next_random(struct enemy *enemy);
uint32_t speech_below(struct enemy *enemy, uint32_t limit);
uint64_t speech_edgy(struct enemy *enemy);

/* Wake the host; hand it the word with any turn. */
void speech_shout(struct enemy *enemy, uint32_t slot);
void speech_publish(struct enemy *enemy, uint32_t step, uint32_t verb);

/* The step that the other side waits for. */
uint32_t speech_step_next(const struct enemy *enemy);

/* What stands in the mail, and an answer as one should give it. */
void speech_fill(struct enemy *enemy, int32_t status, uint32_t bytes, const uint64_t *words);
void speech_answer(struct enemy *enemy, int32_t status, uint32_t bytes, const uint64_t *words);

/* The share of W for the worker's callback frames. */
uint64_t speech_share_place(const struct enemy *enemy, uint32_t bytes);
uint8_t *speech_share(const struct enemy *enemy);

void speech_call_back(struct enemy *enemy, uint32_t id, uint64_t place, uint32_t word_count,
                      uint32_t reply_bytes);

/* Wait for what the host says next; false: a verdict stands. */
bool speech_take(struct enemy *enemy);

/* Where the host wants its bytes, as it said. */
uint8_t *speech_reply_room(const struct enemy *enemy, uint32_t *ret_bytes);

#endif
