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
#include "lane/lease.h"

struct lane_ward {
    struct lane_host_page *h;
    struct lane_worker_page *w; /* mapped read-only */
    uint32_t h_bytes;
    uint32_t w_bytes;
    int bell_fd; /* of the host, not the worker's; -1: futex */
    bool death_written;

    /* Of a lane that is lent: NULL, and all else zero, where H is the host's own. */
    struct lease_ledger *ledger;
    enum lane_verdict verdict; /* what we gave; H may say anything */
    uint32_t blamed;
    uint64_t deadline_max_ns;
    struct lane_seen {
        uint32_t seq;
        uint64_t since_ns;
    } seen[LANE_SLOTS]; /* calls in flight, and when each was first looked at */
};

/* A lent lane is looked at so often by itself: nobody there has to ask for it, and nobody can forbid it. */
#define LANE_LENT_LOOK_MAX_NS 1000000000ull
#define LANE_LENT_LOOK_MIN_NS 10000000ull

/*
 * Map and judge: sizes, seals (adds F_SEAL_FUTURE_WRITE to H behind the mapping), magic. fds stay the
 * caller's. -EBADMSG: no lane, or not sealed.
 */
int lane_ward_open(struct lane_ward *ward, int h_fd, int w_fd, int bell_fd);
/*
 * The same for a lane that a client made (docs/protocol/attach.md). @bell_fd: the lender's, rung for each
 * verdict whatever the lane's wake is. The ledger is mapped too, and has to be one.
 */
int lane_ward_open_lent(struct lane_ward *ward, int h_fd, int w_fd, int bell_fd, int ledger_fd,
                        uint64_t deadline_max_ns);
void lane_ward_close(struct lane_ward *ward);

static inline bool lane_ward_is_lent(const struct lane_ward *ward)
{
    return ward->ledger != NULL;
}

/*
 * True if a verdict stands, or, on a lent lane, its client says so: then its worker leaves by itself, and
 * that is no death.
 */
bool lane_ward_is_over(const struct lane_ward *ward);

/* Lent, no verdict of ours, and its client says that the worker died. */
bool lane_ward_is_said_dead(const struct lane_ward *ward);

/* The worker serves: told to a lender. */
void lane_ward_loaded(struct lane_ward *ward);

/*
 * What stands beside the verdict; zeroes without. For people: a host may write anything there. Of a lent lane: what
 * lane_ward_condemn() was given, whatever its client says.
 */
struct lane_death lane_ward_death(const struct lane_ward *ward);

/* Have the pages at hand that a verdict reads: it is given while somebody waits. */
void lane_ward_warm(const struct lane_ward *ward);

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
 * On a lent lane deadlines count as far as deadline_max_ns after the first look at their call; there is always a
 * next look, and H.watch_until_ns is the client's.
 */
bool lane_ward_overdue(struct lane_ward *ward, uint64_t now_ns, uint32_t *ret_seq,
                       uint64_t *ret_next_ns);

#endif
