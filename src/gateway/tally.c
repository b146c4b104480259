/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/tally.h"

/* Of an octave: 2^(1/4), 2^(2/4), 2^(3/4), 2, in 1/1024. */
static const uint32_t quarters[4] = {1218, 1448, 1722, 2048};

uint64_t tally_bucket_ns(uint32_t index)
{
    if (index == 0) {
        return TALLY_FIRST_NS;
    }
    uint32_t octave = (index - 1) / 4;
    return ((uint64_t)TALLY_FIRST_NS << octave) * quarters[(index - 1) % 4] / 1024;
}

static uint32_t bucket_of(uint64_t ns)
{
    if (ns <= TALLY_FIRST_NS) {
        return 0;
    }
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(ns / TALLY_FIRST_NS);
    uint32_t index = 1 + octave * 4;
    while (index < TALLY_BUCKETS - 1 && tally_bucket_ns(index) < ns) {
        index++;
    }
    return index < TALLY_BUCKETS ? index : TALLY_BUCKETS - 1;
}

void tally_add(struct tally *tally, int outcome, uint64_t whole_ns)
{
    if (outcome < 0 || outcome >= (int)TALLY_OUTCOMES) {
        tally->errors++;
    } else {
        tally->ended[outcome]++;
    }
    tally->count++;
    tally->sum_ns += whole_ns;
    tally->buckets[bucket_of(whole_ns)]++;
}

void tally_merge(struct tally *tally, const struct tally *more)
{
    tally->count += more->count;
    tally->errors += more->errors;
    tally->sum_ns += more->sum_ns;
    for (uint32_t i = 0; i < TALLY_OUTCOMES; i++) {
        tally->ended[i] += more->ended[i];
    }
    for (uint32_t i = 0; i < TALLY_BUCKETS; i++) {
        tally->buckets[i] += more->buckets[i];
    }
}

uint64_t tally_quantile(const struct tally *tally, uint32_t per_mille)
{
    uint64_t wanted = (tally->count * per_mille + 999) / 1000;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < TALLY_BUCKETS && wanted > 0; i++) {
        seen += tally->buckets[i];
        if (seen >= wanted) {
            return tally_bucket_ns(i);
        }
    }
    return 0;
}
