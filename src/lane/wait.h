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
 * The first LANE_SPIN_BLIND looks are made without PAUSE and without reading the clock; a reply that
 * comes within about a microsecond is seen as soon as the cache line arrives.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LANE_SPIN_BLIND     600u
#define LANE_SPIN_HOST_NS   20000u
#define LANE_SPIN_WORKER_NS 50000u

#define LANE_PURSE_START_NS 100000u
#define LANE_PURSE_MAX_NS   200000u
#define LANE_PURSE_WON_NS   25000u
#define LANE_PURSE_PARK_NS  1000u

struct lane_counts {
    uint64_t spins_won;
    uint64_t spins_lost;
    uint64_t parks;
    uint64_t park_timeouts; /* by futex: the turn had come, but no wake-up; must stay 0 */
    uint64_t wakes;         /* of the other side */
};

/*
 * Spin until @turn is no longer @seen or @verdict is no longer 0, for @spin_max_ns at most. Pays from
 * @purse, or earns. Does nothing if the purse does not hold @spin_max_ns.
 */
void lane_spin(const _Atomic uint32_t *turn, uint32_t seen, const _Atomic uint32_t *verdict,
               uint32_t spin_max_ns, uint32_t *purse, struct lane_counts *counts);

/*
 * Note a park that began at @began_ns: fills a purse that does not hold @spin_max_ns a little, and more
 * if a spin would have been won.
 */
void lane_parked(uint64_t began_ns, uint32_t spin_max_ns, uint32_t *purse);

#endif
