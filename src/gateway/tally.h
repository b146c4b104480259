/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TALLY_H
#define GATEWAY_TALLY_H

/*
 * Tally: how often something ended how, and how long it took. Times lie in buckets a quarter of an octave
 * wide, from 1 us to 1 minute: a quantile is at most a fifth too high.
 *
 * Threads: the loop's.
 */

#include <stdint.h>

#define TALLY_FIRST_NS 1000u /* the first bucket: up to this */
#define TALLY_BUCKETS  106u  /* the last one: everything beyond a minute and a half */
#define TALLY_OUTCOMES 8u

struct tally {
    uint64_t ended[TALLY_OUTCOMES]; /* enum cordon_outcome */
    uint64_t errors;                /* neither: parameters, limits, failures of our own */
    uint64_t count;                 /* of the times */
    uint64_t sum_ns;
    uint64_t buckets[TALLY_BUCKETS];
};

/* @outcome: enum cordon_outcome, or negative. @whole_ns: from the request to its answer. */
void tally_add(struct tally *tally, int outcome, uint64_t whole_ns);

/* Add what @more has seen. */
void tally_merge(struct tally *tally, const struct tally *more);

/* The time that @per_mille of a thousand did not exceed; 0: there is none. */
uint64_t tally_quantile(const struct tally *tally, uint32_t per_mille);

/* The most that bucket @index holds. */
uint64_t tally_bucket_ns(uint32_t index);

#endif
