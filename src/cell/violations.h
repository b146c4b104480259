/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_VIOLATIONS_H
#define CELL_VIOLATIONS_H

/*
 * Violations of a session: copied from its worker's lane when their number moved, so that they outlive
 * the worker. A call without any pays for one look at a word in the cache line of the verdict.
 *
 * Threads: the session's holder.
 */

#include <stdatomic.h>
#include <stdint.h>

#include "cordon/violation.h"
#include "lane/layout.h"

struct violations {
    const struct lane_host_page *h; /* of the present station; NULL: it has none */
    uint32_t seen;                  /* of its */
    uint64_t ever;
    struct cordon_violation kept[CORDON_VIOLATIONS_KEPT]; /* number n, from 0, at n mod this */
};

/* Another worker, with its own numbers. */
static inline void violations_follow(struct violations *violations, const struct lane_host_page *h)
{
    violations->h = h;
    violations->seen = 0;
}

/* Copy what is new up to @count. Returns how many that are. */
uint32_t violations_read(struct violations *violations, uint32_t count);

/* How many are new since the last look. */
static inline uint32_t violations_take(struct violations *violations)
{
    if (!violations->h) {
        return 0;
    }
    /* Relaxed: whether it moved; what it counts is acquired where it is read. */
    uint32_t count = atomic_load_explicit(&violations->h->violations, memory_order_relaxed);
    return count == violations->seen ? 0 : violations_read(violations, count);
}

#endif
