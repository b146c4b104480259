/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_EXPECTATION_H
#define LANE_EXPECTATION_H

/*
 * Expectation: when the answer of a call will come that takes longer than anyone spins.
 *
 * Who sleeps until it is woken by the answer has it 25-40 us later: a tenth of a call of 250 us, half of one of 60. So if the
 * last calls of the same function took alike, their caller sleeps until shortly before that time, and looks for the
 * answer from then on. It looks for LANE_EXPECT_LEAD_NS before and an eighth of the whole behind; in vain it is paid from the
 * purse of lane/wait.h like any other spin, and the function has to earn trust again. Who expects an answer late does not look for it
 * at first, as all others do for 30 us.
 *
 * Threads: one at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* A sleep ends up to 50 us late, which is the kernel's slack, and takes its time to end: 75-80 us were measured. */
#define LANE_EXPECT_LEAD_NS 120000u
#define LANE_EXPECT_WAKE_NS 30000u   /* of what it took those whom the answer woke */
#define LANE_EXPECT_MOST_NS 1000000u /* of longer calls what is won is next to nothing */
#define LANE_EXPECT_TRUST   4u /* calls in a row that took alike, at most twice as many count */
#define LANE_EXPECT_DOUBT   3u /* of these one that did not takes away */

struct lane_expectation {
    uint32_t ns; /* from the begin of the wait on */
    uint32_t trust;
};

/* When to look, for a wait that began at @began_ns. False: it is not known. */
static inline bool lane_expect(const struct lane_expectation *expectation, uint64_t began_ns,
                               uint64_t *ret_from_ns, uint64_t *ret_until_ns)
{
    uint64_t ns = expectation->ns;
    *ret_from_ns = began_ns + (ns > LANE_EXPECT_LEAD_NS ? ns - LANE_EXPECT_LEAD_NS : 0);
    *ret_until_ns = began_ns + ns + ns / 8;
    return expectation->trust >= LANE_EXPECT_TRUST;
}

/* So long it took. @woken: who waited slept until the answer came, and some time longer. */
static inline void lane_expect_learn(struct lane_expectation *expectation, uint64_t took_ns,
                                     bool woken)
{
    took_ns -= woken && took_ns > 2 * LANE_EXPECT_WAKE_NS ? LANE_EXPECT_WAKE_NS : 0;
    uint64_t ns = expectation->ns;
    uint64_t off_ns = took_ns > ns ? took_ns - ns : ns - took_ns;
    if (off_ns < ns / 4 && took_ns < LANE_EXPECT_MOST_NS) {
        expectation->ns = (uint32_t)((3 * ns + took_ns) / 4);
        expectation->trust += expectation->trust < 2 * LANE_EXPECT_TRUST;
        return;
    }
    expectation->trust -=
        expectation->trust < LANE_EXPECT_DOUBT ? expectation->trust : LANE_EXPECT_DOUBT;
    if (expectation->trust == 0) {
        expectation->ns = (uint32_t)(took_ns < LANE_EXPECT_MOST_NS ? took_ns : LANE_EXPECT_MOST_NS);
    }
}

#endif
