/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_PATIENCE_H
#define LANE_PATIENCE_H

/*
 * Patience: how long who waits for an answer does not look for it.
 *
 * A look that comes before the answer takes a copy of the line that the other side is about to write, and costs both another
 * transfer of it: 45-60 of 345 ns a round trip between two CPUs of one L3 in which each side works for a while (a look before
 * the answer 346-364 ns, none 298-304). So the first look comes when the last answers of the same function came.
 *
 * How it works. Time is counted in pauses (cpu_relax()). Each LANE_PATIENCE_EACH-th wait is a sample: it looks after every pause,
 * and tells how long the answer takes. The others wait in between, a little less after each first look that found the
 * answer, a pause more after one that did not: one in nine comes too early. They never wait longer than the quickest of the last samples:
 * for a function that is quick at times and slow at others nobody waits as for the slow ones. What takes longer than
 * LANE_PATIENCE_MOST is looked for at once.
 *
 * Threads: one at a time.
 */

#include <stdint.h>

#define LANE_PATIENCE_MOST    28u /* pauses: 25 ns each on a Zen 4 */
#define LANE_PATIENCE_EACH    32u
#define LANE_PATIENCE_SAMPLES 4u

struct lane_patience {
    uint8_t eighths; /* of a pause, before the first look; less than one: each wait is a sample */
    uint8_t waits;   /* modulo LANE_PATIENCE_EACH */
    uint8_t samples; /* of this round */
    uint8_t round_least; /* pauses that the quickest of this round took */
    uint8_t least;       /* of the last whole round */
};

/* How many pauses come before the first look of a wait that begins now; 0: one, as before each further look. */
static inline uint32_t lane_patience_begin(struct lane_patience *patience)
{
    patience->waits = (uint8_t)((patience->waits + 1u) % LANE_PATIENCE_EACH);
    return patience->waits == 0 ? 0 : patience->eighths / 8u;
}

/*
 * @pauses  what lane_patience_begin() said.
 * @looks   the answer was found at this one, each a pause behind the one before; 0: it was not found so soon.
 */
static inline void lane_patience_end(struct lane_patience *patience, uint32_t pauses,
                                     uint32_t looks)
{
    if (pauses > 0) {
        uint32_t most = patience->least * 8u + 7u;
        uint32_t eighths = looks == 1 ? patience->eighths - 1u : patience->eighths + 8u;
        patience->eighths = (uint8_t)(eighths < most ? eighths : most);
        return;
    }
    uint32_t took = looks == 0 || looks > LANE_PATIENCE_MOST ? LANE_PATIENCE_MOST + 1 : looks;
    if (patience->samples == 0 || took < patience->round_least) {
        patience->round_least = (uint8_t)took;
    }
    if (++patience->samples < LANE_PATIENCE_SAMPLES) {
        return;
    }
    patience->samples = 0;
    patience->least = patience->round_least <= LANE_PATIENCE_MOST ? patience->round_least : 0;
    if (patience->eighths < 8 || patience->eighths / 8u > patience->least) {
        patience->eighths = (uint8_t)(patience->least * 8u);
    }
}

#endif
