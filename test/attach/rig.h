/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTACH_RIG_H
#define ATTACH_RIG_H

/* Rig: a daemon (lender.c) in a process of its own, and cells that are attached to it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/harness.h"

struct rig {
    pid_t daemon;
    int orders; /* to its standard input */
    int answers;
    char path[64];
};

/* What it says of its cell. */
struct rig_stats {
    unsigned seats, leases;
    unsigned long long lent, refused, crashes, timeouts, recalled, lost;
    int draining;
};

/* @arguments: "leases=1 idle_ms=100", or NULL. */
void rig_open(struct rig *rig, const char *arguments);
/* In order: it has to exit with status 0, and to leave nothing. */
void rig_close(struct rig *rig);
/* kill -9. */
void rig_kill(struct rig *rig);

/* "", "replace MS", "change MS", "withdraw MS". */
struct rig_stats rig_order(struct rig *rig, const char *order);
/* Until its leases are so many. */
bool rig_await_leases(struct rig *rig, unsigned leases);

struct cordon_cell *rig_attach(const struct rig *rig);
struct cordon_cell *rig_attach_with(const struct rig *rig, struct cordon_attach_options options);

/* abs(-n) has to be n. */
void rig_expect_abs(struct cordon_session *session, struct cordon_function *function, int n);

#endif
