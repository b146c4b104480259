/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_PACE_H
#define GATEWAY_PACE_H

/*
 * Pace: how long calls of a method take, guessed for two questions: whether one may wait behind another, and
 * whether it pays to look for its answer instead of sleeping.
 *
 * Life: all zero knows nothing. Threads: the loop's.
 */

#include <stdbool.h>
#include <stdint.h>

struct pace {
    uint64_t call_ns;  /* the next one is expected to take; 0: nothing is known */
    uint32_t purse_ns; /* what looking may cost */
};

/*
 * @count calls have ended, one behind the other, @elapsed_ns after the first began. That has waking the worker in it,
 * if it slept, and waiting for a CPU: shorter times are believed sooner than longer ones.
 */
void pace_note(struct pace *pace, uint64_t elapsed_ns, uint32_t count);

/*
 * As in lane/wait.h the purse bounds what is wasted: looking in vain is paid from it, an answer that comes meanwhile
 * fills it, one that came without looking adds a little. Methods that take long, or whose workers want this CPU, are
 * looked for once in a while.
 */
bool pace_may_look(const struct pace *pace);
void pace_looked(struct pace *pace, bool came, uint64_t spent_ns);
void pace_came(struct pace *pace);

#endif
