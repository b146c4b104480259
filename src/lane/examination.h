/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_EXAMINATION_H
#define LANE_EXAMINATION_H

/*
 * Examination: what a keeper that is started for this alone finds out about the platform, and tells its
 * host in one message. Every mechanism is tried in a process of its own, the way a worker would use it.
 */

#include <stdint.h>

#define EXAMINATION_MAGIC     0x4d415845u
#define EXAMINATION_VERSION   1u
#define EXAMINATION_WHY_BYTES 232u

/* In the order of the table that people see. */
enum examination_item {
    EXAMINED_SECCOMP,
    EXAMINED_SECCOMP_NOTIFY,
    EXAMINED_SECCOMP_TSYNC,
    EXAMINED_LANDLOCK,
    EXAMINED_NO_NEW_PRIVS,
    EXAMINED_UNPRIVILEGED_USER,
    EXAMINED_USER_NAMESPACE,
    EXAMINED_PID_NAMESPACE,
    EXAMINED_NETWORK_NAMESPACE,
    EXAMINED_LIMITS,
    EXAMINED_HANG_STACKS,
    EXAMINED_PIDFD,
    EXAMINED_SEALED_MEMORY,
    EXAMINED_RUN_FROM_MEMORY,
    EXAMINED_FUTEX_WAITV,
    EXAMINED_GUARD_PAGES,
    EXAMINED_COUNT,
};

/* As enum cordon_platform_state has them. */
enum examination_state {
    EXAMINED_MISSING = 0,
    EXAMINED_PARTLY = 1,
    EXAMINED_THERE = 2,
};

struct examination_row {
    uint32_t state;                  /* enum examination_state */
    uint32_t version;                /* of the kernel's interface, where it has one */
    int32_t error;                   /* errno of the attempt; 0 */
    char why[EXAMINATION_WHY_BYTES]; /* NUL-terminated; empty when nothing is to be said */
};

struct examination {
    uint32_t magic;
    uint32_t version;
    struct examination_row rows[EXAMINED_COUNT];
};

#endif
