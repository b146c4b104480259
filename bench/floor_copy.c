/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

/* memcpy: of one's own bytes, and of bytes that lie in another CPU's cache. */

#include "base/clock.h"
#include "floor_pair.h"

#include <string.h>

#define OWN_ROUND_BYTES    (4u << 20)
#define FOREIGN_ROUND_RUNS 20u

void floor_write_partner(struct floor_shared *shared)
{
    for (uint32_t turn = 1;; turn += 2) {
        uint32_t ball;
        do {
            ball = atomic_load_explicit(&shared->ball, memory_order_acquire);
        } while (ball < turn);
        if (ball == FLOOR_BALL_OUT) {
            return;
        }
        memset(shared->data, (int)turn, atomic_load_explicit(&shared->bytes, memory_order_relaxed));
        atomic_store_explicit(&shared->ball, turn + 1, memory_order_release);
    }
}

double floor_copy_foreign_round(void *context)
{
    const struct floor_copy *copy = context;
    struct floor_shared *shared = copy->pair->shared;
    uint64_t took_ns = 0;
    atomic_store_explicit(&shared->bytes, copy->bytes, memory_order_relaxed);
    floor_pair_begin(copy->pair, FLOOR_WRITE);
    for (uint32_t turn = 1; turn < 2 * FOREIGN_ROUND_RUNS; turn += 2) {
        atomic_store_explicit(&shared->ball, turn, memory_order_release);
        while (atomic_load_explicit(&shared->ball, memory_order_acquire) != turn + 1) {
        }
        uint64_t began_ns = clock_now_ns();
        memcpy(copy->pair->copy, shared->data, copy->bytes);
        __asm__ volatile("" ::"r"(copy->pair->copy) : "memory");
        took_ns += clock_now_ns() - began_ns;
    }
    floor_pair_end(copy->pair);
    return (double)took_ns / FOREIGN_ROUND_RUNS;
}

double floor_copy_round(void *context)
{
    static uint8_t from[FLOOR_COPY_BYTES_MAX];
    static uint8_t to[FLOOR_COPY_BYTES_MAX];
    const struct floor_copy *copy = context;
    uint32_t runs = OWN_ROUND_BYTES / (copy->bytes != 0 ? copy->bytes : 1);
    if (runs > 10000) {
        runs = 10000;
    }
    memset(from, 1, copy->bytes);
    memset(to, 2, copy->bytes);
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < runs; i++) {
        memcpy(to, from, copy->bytes);
        /* Keeps the compiler from dropping copies that nobody reads. */
        __asm__ volatile("" ::"r"(to), "r"(from) : "memory");
    }
    return (double)(clock_now_ns() - began_ns) / runs;
}
