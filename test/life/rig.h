/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_LIFE_RIG_H
#define TEST_LIFE_RIG_H

/*
 * Rig: a host reduced to what the life of a worker needs: a keeper, one lane, calls by prototype.
 * Everything that cannot be had fails the test.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cell/keeper_client.h"
#include "cordon/value.h"
#include "lane/host.h"

#define RIG_PATIENCE_NS (20ull * 1000000000ull)

struct rig {
    struct keeper_client *keeper;
    struct lane *lane;
    uint32_t worker;
    uint32_t functions; /* bound so far */
};

struct rig_start {
    const char *library;
    uint32_t policy;
    uint32_t without;
    uint64_t start_timeout_ns; /* 0: RIG_PATIENCE_NS */
};

void rig_open(struct rig *rig, const struct rig_start *start);
void rig_close(struct rig *rig);

/* Send an errand that is no START: enum errand_kind. */
void rig_errand(struct rig *rig, uint32_t kind);

/* Ask the worker for its hello. Returns the lane_await() result. */
int rig_hello(struct rig *rig);

struct rig_answer {
    int wait; /* enum lane_wait */
    int64_t result;
    int error_number;
};

/*
 * Bind @prototype and call it once. The keeper watches the deadline, @timeout_ns from now; the host
 * itself waits longer than that.
 */
struct rig_answer rig_call(struct rig *rig, const char *prototype, const struct cordon_value *args,
                           uint32_t count, uint64_t timeout_ns);

/* Wait for the verdict, then for the end of the worker. */
enum lane_verdict rig_await_end(struct rig *rig, struct lane_death *ret_death);

/* Open files of this process. */
int rig_count_fds(void);

/* Ids, as this process sees them: of the keeper that it has started, of a process's children. */
pid_t rig_keeper_pid(void);
int rig_children(pid_t parent, pid_t *ret_pids, int most);

/* Until no such process is left, or RIG_PATIENCE_NS have passed. Zombies that init will reap count as gone. */
bool rig_await_no_process(pid_t pid);

#endif
