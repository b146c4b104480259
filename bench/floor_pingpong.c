/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

/*
 * The raw ping-pong: one word in one cache line, both processes looking at it without pause. Nothing
 * that carries a call from one CPU to another and back can be faster.
 */

#include "base/clock.h"
#include "floor_pair.h"

#define WARM_TRIPS  200u
#define ROUND_TRIPS 4000u

void floor_pingpong_partner(struct floor_shared *shared)
{
    for (uint32_t turn = 1;; turn += 2) {
        uint32_t ball;
        do {
            ball = atomic_load_explicit(&shared->ball, memory_order_acquire);
        } while (ball < turn);
        if (ball == FLOOR_BALL_OUT) {
            return;
        }
        atomic_store_explicit(&shared->ball, turn + 1, memory_order_release);
    }
}

static uint32_t play(struct floor_shared *shared, uint32_t turn, uint32_t trips)
{
    for (uint32_t i = 0; i < trips; i++, turn += 2) {
        atomic_store_explicit(&shared->ball, turn, memory_order_release);
        while (atomic_load_explicit(&shared->ball, memory_order_acquire) != turn + 1) {
        }
    }
    return turn;
}

double floor_pingpong_round(void *context)
{
    struct floor_pair *pair = context;
    floor_pair_begin(pair, FLOOR_PINGPONG);
    uint32_t turn = play(pair->shared, 1, WARM_TRIPS);
    uint64_t began_ns = clock_now_ns();
    (void)play(pair->shared, turn, ROUND_TRIPS);
    uint64_t took_ns = clock_now_ns() - began_ns;
    floor_pair_end(pair);
    return (double)took_ns / ROUND_TRIPS;
}
