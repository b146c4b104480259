/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

/*
 * Backoff: how long to leave something alone that fails again and again. Doubling, with a jitter, so
 * that many who fail together do not come back together. No clock, no lock, no randomness of its own.
 *
 * Life: all zero is "nothing has failed".
 */

#include <stdint.h>

#define BACKOFF_FIRST_NS 10000000ull   /* 10 ms */
#define BACKOFF_MOST_NS  5000000000ull /* 5 s */

struct backoff {
    uint32_t failures; /* in a row */
    uint64_t until_ns;
};

/* It failed once more. @chance: any number; moves the pause by up to a quarter, either way. */
void backoff_fail(struct backoff *backoff, uint64_t now_ns, uint32_t chance);

/* It worked. */
static inline void backoff_reset(struct backoff *backoff)
{
    *backoff = (struct backoff){0};
}

/* How much longer to wait; 0: try. */
static inline uint64_t backoff_wait_ns(const struct backoff *backoff, uint64_t now_ns)
{
    return backoff->until_ns > now_ns ? backoff->until_ns - now_ns : 0;
}

#endif
