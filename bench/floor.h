/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

/*
 * Floors: what the machine asks for the least that could do the job, to hold measurements against.
 *
 * Each floor has a round: a short measurement (at most a few milliseconds) that returns nanoseconds per
 * operation, as `measure_alternate()` wants it. A floor with a partner process is opened before its rounds;
 * the partner sleeps between rounds, so that it is not in the way of what is measured in turn.
 *
 * Rounds abort the program when the kernel refuses what they need: a number that stands for something
 * else would be worse. Threads: the one that opened it. Signals: none are touched.
 */

#include <stdint.h>

struct floor_pair;

/*
 * A partner process on @partner_cpu (-1: any). The caller pins itself. Ended by floor_pair_close(), or by
 * the caller's death. Returns 0 or a negative errno.
 */
int floor_pair_open(int partner_cpu, struct floor_pair **ret_pair);
void floor_pair_close(struct floor_pair *pair);

/* One cache line there and back, both spinning. context: struct floor_pair *, on another CPU. */
double floor_pingpong_round(void *context);

/* Wake by futex there and back, both sleeping. context: struct floor_pair *. */
double floor_futex_round(void *context);
/* A single round trip, for its tail. */
double floor_futex_once(void *context);

/* Copy @bytes that the partner has just written. */
struct floor_copy {
    struct floor_pair *pair;
    uint32_t bytes;
};
#define FLOOR_COPY_BYTES_MAX (1u << 20)
double floor_copy_foreign_round(void *context); /* context: struct floor_copy * */

/* memcpy of bytes of one's own. pair is not used. */
double floor_copy_round(void *context);

/* ffi_call() of int add(int, int). context: not used. */
double floor_ffi_round(void *context);

/* One reading of CLOCK_MONOTONIC. context: not used. */
double floor_clock_round(void *context);

/* posix_spawn of a program that does nothing, and waiting for it. context: its path (const char *). */
double floor_spawn_round(void *context);
/* A single one, for its tail. */
double floor_spawn_once(void *context);

#endif
