/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/wait.h"

#include "base/clock.h"
#include "base/cpu.h"

/* Looks between two readings of the clock: about half a microsecond. */
#define SPIN_BATCH 16u
/* A batch that took longer than this was interrupted by another task, not by an interrupt handler. */
#define SPIN_TAKEN_AWAY_NS 30000u

static void pay(uint32_t *purse, uint64_t ns)
{
    *purse = ns < *purse ? *purse - (uint32_t)ns : 0;
}

static bool spin_batch(const _Atomic uint32_t *turn, uint32_t seen, const _Atomic uint32_t *verdict)
{
    for (uint32_t look = 0; look < SPIN_BATCH; look++) {
        cpu_relax();
        if (lane_changed(turn, seen)) {
            return true;
        }
    }
    return lane_changed(verdict, 0);
}

void lane_spin_long(const _Atomic uint32_t *turn, uint32_t seen, const _Atomic uint32_t *verdict,
                    uint32_t spin_max_ns, uint32_t *purse, struct lane_counts *counts)
{
    uint64_t began_ns = clock_now_ns();
    uint64_t last_ns = began_ns;
    do {
        bool won = spin_batch(turn, seen, verdict);
        uint64_t now_ns = clock_now_ns();
        if (now_ns - last_ns > SPIN_TAKEN_AWAY_NS) {
            counts->spins_lost++;
            *purse = 0;
            return;
        }
        last_ns = now_ns;
        if (won) {
            counts->spins_won++;
            lane_earn(purse, LANE_PURSE_WON_NS);
            return;
        }
    } while (last_ns - began_ns < spin_max_ns);
    counts->spins_lost++;
    pay(purse, last_ns - began_ns);
}

void lane_parked(uint64_t began_ns, uint32_t spin_max_ns, uint32_t *purse)
{
    if (lane_is_rich(*purse, spin_max_ns)) {
        return; /* Rich enough: no reason to read the clock. */
    }
    bool would_have_won = clock_now_ns() - began_ns < spin_max_ns;
    lane_earn(purse, would_have_won ? LANE_PURSE_WON_NS / 2 : LANE_PURSE_PARK_NS);
}
