/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SNAPSHOT_H
#define CLI_SNAPSHOT_H

/*
 * Snapshot: what a daemon said it does (cordon.stats, docs/protocol/gateway.md), judged and owned. Texts are plain;
 * a number that is missing or is none is 0.
 *
 * Two of them make an interval: rates and times of the calls between.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "json/document.h"

#define SNAPSHOT_OUTCOMES 8u /* enum cordon_outcome */
#define SNAPSHOT_BUCKETS  128u
#define SNAPSHOT_NAME     129u

/* Of a cell or of a method. */
struct snapshot_figures {
    uint64_t calls;
    uint64_t ended[SNAPSHOT_OUTCOMES];
    uint64_t errors;
    uint64_t average_us;
    uint64_t p50_us;
    uint64_t p99_us;
    uint64_t buckets[SNAPSHOT_BUCKETS];
};

struct snapshot_worker {
    char state[16];
    uint64_t pid; /* 0: none */
    uint64_t in_flight;
    uint64_t memory_bytes;
    uint64_t client_pid; /* 0: all share it */
};

struct snapshot_method {
    char name[SNAPSHOT_NAME];
    struct snapshot_figures figures;
};

struct snapshot_cell {
    char name[SNAPSHOT_NAME];
    char library[SNAPSHOT_NAME];
    char level[16];
    char state[16];
    char breaker[16];
    uint64_t generation;
    struct snapshot_figures figures;
    uint64_t in_flight;
    uint64_t queue;
    uint64_t memory_bytes;
    uint64_t breakers_open;
    uint64_t breaker_opened;
    uint64_t restarts;
    uint64_t crashes;
    uint64_t timeouts;
    uint64_t recycled;
    uint64_t starts_failed;
    uint64_t spares;
    char last_report[33]; /* "": none */
    char last_outcome[16];
    char last_method[SNAPSHOT_NAME];
    uint64_t last_ago_ms;
    struct snapshot_worker *workers;
    size_t worker_count;
    struct snapshot_method *methods;
    size_t method_count;
};

struct snapshot {
    char version[32];
    uint64_t pid;
    uint64_t uptime_ms;
    uint64_t clients;
    uint64_t in_flight;
    uint64_t refused;
    uint64_t memory_bytes;
    size_t draining; /* cells that a reload replaced */
    uint64_t bounds_ns[SNAPSHOT_BUCKETS];
    size_t bound_count;
    uint64_t taken_ns; /* CLOCK_MONOTONIC */
    struct snapshot_cell *cells;
    size_t cell_count;
};

/* What happened between two snapshots, or since the start. */
struct interval {
    double calls_rate;  /* each second */
    double errors_rate; /* of calls that came to anything but done */
    uint64_t calls;
    uint64_t p50_us; /* 0: no calls */
    uint64_t p99_us;
};

/*
 * Take the result of cordon.stats. Returns 0; -EBADMSG with a sentence: it is none, or larger than any daemon's;
 * -ENOMEM.
 */
int snapshot_take(struct json_value result, struct snapshot **ret_snapshot, struct message *why);

/* NULL is fine. */
void snapshot_free(struct snapshot *snapshot);

struct snapshot_cell *snapshot_find_cell(const struct snapshot *snapshot, const char *name);

/* Calls that ended by anything but done. */
uint64_t figures_failed(const struct snapshot_figures *figures);

/*
 * From @before to @now. What is new in @now, or whose daemon or generation is another one, began with it; with
 * @before NULL everything is since the daemon's start. @method NULL: of the whole cell.
 */
struct interval interval_of(const struct snapshot *before, const struct snapshot *now,
                            const struct snapshot_cell *cell, const struct snapshot_method *method);

/* Of all cells: the rates alone. */
struct interval interval_of_all(const struct snapshot *before, const struct snapshot *now);

#endif
