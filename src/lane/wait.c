/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/wait.h"

#include "base/clock.h"
#include "base/cpu.h"

/* Looks between two readings of the clock: about half a microsecond. */
#define SPIN_BATCH 16u
/* A batch that took longer than this was interrupted by another task, not by an interrupt handler. */
#define SPIN_TAKEN_AWAY_NS 30000u

static void earn(uint32_t *purse, uint32_t ns)
{
    *purse = *purse + ns < LANE_PURSE_MAX_NS ? *purse + ns : LANE_PURSE_MAX_NS;
}

static void pay(uint32_t *purse, uint64_t ns)
{
    *purse = ns < *purse ? *purse - (uint32_t)ns : 0;
}

/* Relaxed suffices while spinning: whoever leaves the loop looks again with acquire. */
static inline bool changed(const _Atomic uint32_t *word, uint32_t seen)
{
    return atomic_load_explicit(word, memory_order_relaxed) != seen;
}

static bool spin_blind(const _Atomic uint32_t *turn, uint32_t seen)
{
    for (uint32_t look = 0; look < LANE_SPIN_BLIND; look++) {
        if (changed(turn, seen)) {
            return true;
        }
    }
    return false;
}

static bool spin_batch(const _Atomic uint32_t *turn, uint32_t seen, const _Atomic uint32_t *verdict)
{
    for (uint32_t look = 0; look < SPIN_BATCH; look++) {
        cpu_relax();
        if (changed(turn, seen)) {
            return true;
        }
    }
    return changed(verdict, 0);
}

void lane_spin(const _Atomic uint32_t *turn, uint32_t seen, const _Atomic uint32_t *verdict,
               uint32_t spin_max_ns, uint32_t *purse, struct lane_counts *counts)
{
    if (*purse < spin_max_ns) {
        return;
    }
    if (spin_blind(turn, seen)) {
        counts->spins_won++;
        earn(purse, LANE_PURSE_WON_NS);
        return;
    }
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
            earn(purse, LANE_PURSE_WON_NS);
            return;
        }
    } while (last_ns - began_ns < spin_max_ns);
    counts->spins_lost++;
    pay(purse, last_ns - began_ns);
}

void lane_parked(uint64_t began_ns, uint32_t spin_max_ns, uint32_t *purse)
{
    if (*purse >= spin_max_ns) {
        return; /* Rich enough: no reason to read the clock. */
    }
    bool would_have_won = clock_now_ns() - began_ns < spin_max_ns;
    earn(purse, would_have_won ? LANE_PURSE_WON_NS / 2 : LANE_PURSE_PARK_NS);
}
