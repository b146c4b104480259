/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_WAIT_H
#define LANE_WAIT_H

/*
 * Spin, then park: how both sides of a lane wait for a turn.
 *
 * How it works. Spinning saves a wake-up (2-16 us for the waker, up to 100 us for the sleeper) if the
 * other side answers soon, and burns a CPU if it does not. So each side has a purse: a spin that is lost
 * is paid from it, a spin that is won fills it, each park adds a little, and who cannot pay for a whole
 * spin parks at once. What is wasted is thereby bounded by what was won: at most LANE_PURSE_WON_NS per
 * success and LANE_PURSE_PARK_NS per park, whatever the other side and the load of the machine do. A
 * spin in which the CPU was taken away empties the purse: others need it.
 *
 * The first LANE_SPIN_SOON looks are made without reading the clock, and in line: a reply that comes
 * within about a microsecond is seen as soon as the cache line arrives. PAUSE stands before each look,
 * the first one too: that bought 47 of 174 ns a round trip (two CPUs of one L3, raw ping-pong 75-100 ns)
 * against a bare load loop; two PAUSEs a look cost 20 ns again. docs/performance.md has the rest.
 */

#include "base/cpu.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LANE_SPIN_SOON      64u
#define LANE_SPIN_HOST_NS   30000u
#define LANE_SPIN_WORKER_NS 50000u

#define LANE_PURSE_START_NS 100000u
#define LANE_PURSE_MAX_NS   200000u
#define LANE_PURSE_WON_NS   25000u
#define LANE_PURSE_PARK_NS  1000u

struct lane_counts {
    uint64_t spins_won;
    uint64_t spins_lost;
    uint64_t parks;
    uint64_t park_timeouts; /* by futex: the turn had come, but no wake-up */
    uint64_t wakes;         /* of the other side */
};

/*
 * The first park of a wait is on the turn alone, and not longer than this: futex_waitv() on turn and
 * verdict takes 530 ns more than a futex (measured; of 7,300 for a call on one CPU, which has two of them),
 * and most waits are short. Who gives a verdict wakes the turn as well; what is lost between a look and
 * sleep comes this much later. Longer than a tick, or each park would set the CPU's timer.
 */
#ifndef LANE_PARK_FIRST_NS /* test_parking.c: so long that what is lost is not hidden */
#define LANE_PARK_FIRST_NS 20000000ull
#endif

/* Relaxed suffices while spinning: whoever leaves the loop looks again with acquire. */
static inline bool lane_changed(const _Atomic uint32_t *word, uint32_t seen)
{
    return atomic_load_explicit(word, memory_order_relaxed) != seen;
}

static inline void lane_earn(uint32_t *purse, uint32_t ns)
{
    *purse = *purse + ns < LANE_PURSE_MAX_NS ? *purse + ns : LANE_PURSE_MAX_NS;
}

/* Look LANE_SPIN_SOON times. Returns at which look the turn was no longer @seen, which is earned; 0: at none. */
static inline uint32_t lane_spin_soon(const _Atomic uint32_t *turn, uint32_t seen, uint32_t *purse,
                                      struct lane_counts *counts)
{
    for (uint32_t look = 1; look <= LANE_SPIN_SOON; look++) {
        cpu_relax();
        if (lane_changed(turn, seen)) {
            counts->spins_won++;
            lane_earn(purse, LANE_PURSE_WON_NS);
            return look;
        }
    }
    return 0;
}

/* What lane_spin() does when the turn did not come soon: reads the clock between looks. */
void lane_spin_long(const _Atomic uint32_t *turn, uint32_t seen, const _Atomic uint32_t *verdict,
                    uint32_t spin_max_ns, uint32_t *purse, struct lane_counts *counts);

/*
 * Spin until @turn is no longer @seen or @verdict is no longer 0, for @spin_max_ns at most. Pays from
 * @purse, or earns. Does nothing if the purse does not hold @spin_max_ns.
 */
static inline void lane_spin(const _Atomic uint32_t *turn, uint32_t seen,
                             const _Atomic uint32_t *verdict, uint32_t spin_max_ns, uint32_t *purse,
                             struct lane_counts *counts)
{
    if (*purse >= spin_max_ns && lane_spin_soon(turn, seen, purse, counts) == 0) {
        lane_spin_long(turn, seen, verdict, spin_max_ns, purse, counts);
    }
}

/* No park has to be timed: lane_parked() will not ask. */
static inline bool lane_is_rich(uint32_t purse, uint32_t spin_max_ns)
{
    return purse >= spin_max_ns;
}

/*
 * Note a park that began at @began_ns: fills a purse that does not hold @spin_max_ns a little, and more
 * if a spin would have been won.
 */
void lane_parked(uint64_t began_ns, uint32_t spin_max_ns, uint32_t *purse);

#endif
