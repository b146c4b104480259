/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_WAITING_H
#define BENCH_WAITING_H

/* Trips with a pause before each, timed without the pause. */

#include <stdbool.h>
#include <stdint.h>

struct floor_pair;

/* @sleeping: the CPU is left alone meanwhile; else it is kept busy. */
void waiting_pause(uint64_t gap_ns, bool sleeping);

/* A futex round trip, both sides asleep, with such a pause before it. */
double waiting_futex_ns(struct floor_pair *pair, uint64_t gap_ns, bool sleeping);

#endif
