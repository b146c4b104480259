/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_VIOLATION_H
#define LANE_VIOLATION_H

/*
 * Violations: forbidden acts of a worker, listed by the keeper in H, where the worker cannot write. A
 * host looks there only when `violations` moved: that word lies in the verdict's cache line, which every
 * wait reads anyway.
 *
 * The list is a ring without a lock. Each record carries its own number, which is 0 while it is being
 * written: a reader that finds another number before or after its copy has met the writer, or a newer
 * act, and skips it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lane/layout.h"

/* As in struct lane_violation; texts NUL-terminated. */
struct lane_act {
    uint32_t number;
    uint32_t seq;
    int32_t system_call;
    int32_t error;
    char act[LANE_GRANT_BYTES];
    char grant[LANE_GRANT_BYTES];
};

/* Keeper: list @act as the next one; its number is not looked at. Threads: one. Returns its number. */
uint32_t lane_violation_list(struct lane_host_page *h, const struct lane_act *act);

/* Host: how many there were ever. */
static inline uint32_t lane_violation_count(const struct lane_host_page *h)
{
    /* Pairs with the release in lane_violation_list(): record before count. */
    return atomic_load_explicit(&h->violations, memory_order_acquire);
}

/*
 * Host: copy act @number, of those that lane_violation_count() counts. False: newer ones took its place.
 * Threads: any.
 */
bool lane_violation_read(const struct lane_host_page *h, uint32_t number, struct lane_act *ret_act);

#endif
