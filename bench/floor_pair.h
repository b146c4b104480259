/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FLOOR_PAIR_H
#define BENCH_FLOOR_PAIR_H

/* What caller and partner of a floor share. For the floors only. */

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "floor.h"

#define FLOOR_LINE 64

enum floor_job {
    FLOOR_REST,
    FLOOR_PINGPONG,
    FLOOR_FUTEX,
    FLOOR_WRITE,
    FLOOR_LEAVE,
};

struct floor_shared {
    alignas(
        FLOOR_LINE) _Atomic uint32_t job; /* futex word: the caller sets it, the partner does it */
    _Atomic uint32_t awake;               /* futex word: 1 while the partner is at its job */
    alignas(FLOOR_LINE) _Atomic uint32_t ball; /* odd: the partner's turn; FLOOR_BALL_OUT: over */
    alignas(FLOOR_LINE) _Atomic uint32_t bytes;
    alignas(FLOOR_LINE) uint8_t data[FLOOR_COPY_BYTES_MAX];
};

#define FLOOR_BALL_OUT UINT32_MAX

struct floor_pair {
    struct floor_shared *shared;
    uint8_t *copy;
    pid_t partner;
};

/* Give the partner a job and wait until it is at it; and until it rests again. */
void floor_pair_begin(struct floor_pair *pair, enum floor_job job);
void floor_pair_end(struct floor_pair *pair);

/* The partner's part of each job; return when the ball is out. */
void floor_pingpong_partner(struct floor_shared *shared);
void floor_futex_partner(struct floor_shared *shared);
void floor_write_partner(struct floor_shared *shared);

#endif
