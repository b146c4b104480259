/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

/* A futex round trip: each side sleeps until the other one wakes it, as any parked call must. */

#include "base/clock.h"
#include "base/futex.h"
#include "floor_pair.h"

#define WARM_TRIPS  10u
#define ROUND_TRIPS 60u

static void await_ball(const _Atomic uint32_t *ball, uint32_t below)
{
    uint32_t seen;
    while ((seen = atomic_load_explicit(ball, memory_order_acquire)) < below) {
        (void)futex_wait(ball, seen, CLOCK_NEVER);
    }
}

static void pass_ball(_Atomic uint32_t *ball, uint32_t turn)
{
    atomic_store_explicit(ball, turn, memory_order_release);
    futex_wake(ball, 1);
}

void floor_futex_partner(struct floor_shared *shared)
{
    for (uint32_t turn = 1;; turn += 2) {
        await_ball(&shared->ball, turn);
        if (atomic_load_explicit(&shared->ball, memory_order_acquire) == FLOOR_BALL_OUT) {
            return;
        }
        pass_ball(&shared->ball, turn + 1);
    }
}

static uint32_t play(struct floor_shared *shared, uint32_t turn, uint32_t trips)
{
    for (uint32_t i = 0; i < trips; i++, turn += 2) {
        pass_ball(&shared->ball, turn);
        await_ball(&shared->ball, turn + 1);
    }
    return turn;
}

static double play_timed(struct floor_pair *pair, uint32_t trips)
{
    floor_pair_begin(pair, FLOOR_FUTEX);
    uint32_t turn = play(pair->shared, 1, WARM_TRIPS);
    uint64_t began_ns = clock_now_ns();
    (void)play(pair->shared, turn, trips);
    uint64_t took_ns = clock_now_ns() - began_ns;
    floor_pair_end(pair);
    return (double)took_ns / trips;
}

double floor_futex_round(void *context)
{
    return play_timed(context, ROUND_TRIPS);
}

double floor_futex_once(void *context)
{
    return play_timed(context, 1);
}
