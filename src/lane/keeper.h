/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_KEEPER_H
#define LANE_KEEPER_H

/*
 * The keeper's side of a lane: H mapped for writing, W for reading; verdicts on death and deadline.
 * What stands in W is never trusted, what stands in H is the host's (a gateway client's: distrusted).
 */

#include <stdbool.h>
#include <stdint.h>

#include "lane/layout.h"

struct lane_ward {
    struct lane_host_page *h;
    struct lane_worker_page *w; /* mapped read-only */
    uint32_t h_bytes;
    uint32_t w_bytes;
    int bell_fd; /* of the host, not the worker's; -1: futex */
    bool death_written;
};

/*
 * Map and judge: sizes, seals (adds F_SEAL_FUTURE_WRITE to H behind the mapping), magic. fds stay the
 * caller's. -EBADMSG: no lane, or not sealed.
 */
int lane_ward_open(struct lane_ward *ward, int h_fd, int w_fd, int bell_fd);
void lane_ward_close(struct lane_ward *ward);

/* As lane_condemn(): the first verdict wins; @death may be NULL. Wakes the host. */
bool lane_ward_condemn(struct lane_ward *ward, enum lane_verdict verdict, uint32_t seq,
                       const struct lane_death *death);

/* The verdict that stands, LANE_ALIVE if none does. */
enum lane_verdict lane_ward_verdict(const struct lane_ward *ward);

/* The call that the verdict which stands blames; 0: none, or its giver has not said so yet. */
uint32_t lane_ward_blamed(const struct lane_ward *ward);

/* The worker and all that could write W are gone; @death says how, even when another verdict won. */
void lane_ward_gone(struct lane_ward *ward, const struct lane_death *death);

/* The worker's memory was measured: the host reads it when it likes. */
void lane_ward_measured(struct lane_ward *ward, uint64_t resident_bytes);

/*
 * The call to blame when the worker ends: the oldest in flight that has no answer, or the one that
 * would have come next.
 */
uint32_t lane_ward_unanswered(const struct lane_ward *ward);

/*
 * Look for unanswered calls past their deadline. Returns true with ret_seq if there is one; else
 * *ret_next_ns is when to look again (CLOCK_NEVER: nothing in flight), also written to H.watch_until_ns.
 */
bool lane_ward_overdue(struct lane_ward *ward, uint64_t now_ns, uint32_t *ret_seq,
                       uint64_t *ret_next_ns);

#endif
