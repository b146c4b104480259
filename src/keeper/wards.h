/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_WARDS_H
#define KEEPER_WARDS_H

/*
 * Wards: the table of all workers of one keeper. Its size is a limit (docs/limits.md), so that nothing
 * is ever allocated.
 *
 * Threads: the keeper's only one.
 */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"
#include "keeper/ward.h"

/*
 * What a daemon of 100 cells takes with 5 workers, 5 leases and 2 spares each, and 800 for sessions and for those
 * that end while others take their place. One that was never used costs nothing, one in use 11 KB and 4 to 8
 * descriptors.
 */
#define WARDS_MAX 2048u
static_assert(WARDS_MAX >= 2 * (LIMIT_WORKERS_MAX + LIMIT_SESSIONS),
              "one cell has all that it may, each beside the one that replaces it");

struct wards {
    struct ward_house house;
    uint32_t top; /* entries from here on were never used */
    struct ward ward[WARDS_MAX];
};

/* Without a place for listeners, and without reports: the caller adds them to the house. */
void wards_init(struct wards *wards, int program, uint32_t mechanisms);

/*
 * Start a worker as @errand (judged) says. @fds that are kept are taken out of it.
 * Returns the ward, STARTING; NULL: the failure was told to the host.
 */
struct ward *wards_start(struct wards *wards, const struct errand *errand, struct ward_fds *fds);

/* NULL: there is none. */
struct ward *wards_find(struct wards *wards, uint32_t worker);
struct ward *wards_find_pid(struct wards *wards, pid_t pid);
bool wards_has_pid(void *wards, int pid); /* or it writes reports */
uint32_t wards_index(const struct wards *wards, const struct ward *ward);

/* What epoll knows the listener of ward i by: this + i. Its start socket: i. */
#define WARDS_LISTENERS WARDS_MAX

/* Something came on the start socket, or from the listener, of ward @index. Stale indices are ignored. */
void wards_answer(struct wards *wards, uint32_t index);
void wards_notice(struct wards *wards, uint32_t index);

/* Thread @id of some worker stands. Others' threads are nobody's. */
void wards_stopped(struct wards *wards, pid_t id);

/* When wards_time() is due; CLOCK_NEVER: no need. */
uint64_t wards_due_ns(const struct wards *wards);
void wards_time(struct wards *wards);

/* A child has ended: kill what dead workers left behind; with nothing left, they are gone. */
void wards_sweep(struct wards *wards);

/* End all. */
void wards_end(struct wards *wards);

#endif
