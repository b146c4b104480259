/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_gateway.h"

/*
 * What other clients cost: the daemon's memory with 100 that are connected and idle, each of whom has asked once;
 * and what one that floods (128 in flight, always) does to one that asks one thing at a time.
 */

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/futex.h"

#define IDLE_CLIENTS    100u
#define MEMORY_MARK_KIB 10240.0
#define FLOOD_DEPTH     128u
#define FLOOD_BATCH     1024u
#define POLITE_TRIPS    300u
#define POLITE_WARM     30u
#define FAIRNESS_MARK   3.0

/* "Name:   123 kB" in the daemon's smaps_rollup; -1: not there. */
static long rollup_kib(const struct stage *stage, const char *name)
{
    char path[64];
    char line[256];
    long kib = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)stage->daemon.pid);
    FILE *stream = fopen(path, "re");
    while (stream && kib < 0 && fgets(line, sizeof line, stream)) {
        size_t length = strlen(name);
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            kib = strtol(line + length + 1, NULL, 10);
        }
    }
    if (stream) {
        (void)fclose(stream);
    }
    return kib;
}

static int report_memory(struct stage *stage)
{
    long proportional = rollup_kib(stage, "Pss");
    long private = rollup_kib(stage, "Private_Dirty");
    if (proportional < 0 || private < 0) {
        return rig_fail(stage->rig, -ENODATA, "the daemon's memory");
    }
    rig_report_value(stage->rig, "memory", "KiB", (double)proportional, MEMORY_MARK_KIB, 1,
                     "10 MB: daemon's PSS, 100 idle clients");
    rig_report_value(stage->rig, "memory, private", "KiB", (double)private, MEMORY_MARK_KIB, 0,
                     "10 MB: its private dirty pages");
    return 0;
}

int gateway_ask_memory(struct stage *stage)
{
    struct socket_caller *callers = calloc(IDLE_CLIENTS, sizeof *callers);
    struct socket_caller first = {0};
    if (!callers) {
        return -ENOMEM;
    }
    int r = stage_start_daemon(stage, -1, -1, &first);
    for (uint32_t i = 0; i < IDLE_CLIENTS && r == 0; i++) {
        r = stage_connect(stage, stage->socket, &callers[i]);
        if (r == 0) {
            caller_trips(&callers[i], 1);
        }
    }
    r = r < 0 ? r : report_memory(stage);
    for (uint32_t i = 0; i < IDLE_CLIENTS; i++) {
        caller_close(&callers[i]);
    }
    free(callers);
    caller_close(&first);
    stage_end_daemon(stage);
    return r;
}

/* ---- Fairness ---------------------------------------------------------------------------------- */

enum { FLOOD_REST, FLOOD_ON };

struct flood {
    _Atomic uint32_t wish; /* futex words: enum above; what the client does */
    _Atomic uint32_t state;
};

struct polite {
    struct socket_caller caller;
    struct flood *flood;
    pid_t client;
};

static void set(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
    futex_wake(word, 1);
}

static void await(_Atomic uint32_t *word, uint32_t value)
{
    uint32_t seen;
    while ((seen = atomic_load_explicit(word, memory_order_acquire)) != value) {
        (void)futex_wait(word, seen, CLOCK_NEVER);
    }
}

static _Noreturn void run_flood(struct stage *stage, struct flood *flood)
{
    struct socket_caller caller;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (caller_connect(&caller, stage->socket, stage->json) < 0) {
        _exit(1);
    }
    for (;;) {
        set(&flood->state, FLOOD_REST);
        await(&flood->wish, FLOOD_ON);
        caller_flight(&caller, FLOOD_DEPTH, FLOOD_DEPTH);
        set(&flood->state, FLOOD_ON);
        while (atomic_load_explicit(&flood->wish, memory_order_acquire) == FLOOD_ON) {
            caller_flight(&caller, FLOOD_BATCH, FLOOD_DEPTH);
        }
    }
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static double polite_p99(struct polite *polite)
{
    double samples[POLITE_TRIPS];
    caller_trips(&polite->caller, POLITE_WARM);
    for (uint32_t i = 0; i < POLITE_TRIPS; i++) {
        uint64_t began_ns = clock_now_ns();
        caller_trips(&polite->caller, 1);
        samples[i] = (double)(clock_now_ns() - began_ns);
    }
    qsort(samples, POLITE_TRIPS, sizeof samples[0], compare);
    return samples[POLITE_TRIPS - 1 - POLITE_TRIPS / 100];
}

static double alone_round(void *context)
{
    return polite_p99(context);
}

static double flooded_round(void *context)
{
    struct polite *polite = context;
    set(&polite->flood->wish, FLOOD_ON);
    await(&polite->flood->state, FLOOD_ON);
    double p99 = polite_p99(polite);
    set(&polite->flood->wish, FLOOD_REST);
    await(&polite->flood->state, FLOOD_REST);
    return p99;
}

static int measure_fairness(struct stage *stage, struct polite *polite)
{
    struct measure_series series[] = {
        {.name = "polite p99", .round = flooded_round, .context = polite},
        {.round = alone_round, .context = polite},
    };
    int r = measure_alternate(series, 2, stage->rig->rounds);
    if (r == 0) {
        rig_report(stage->rig,
                   &(struct measure_line){.subject = &series[0],
                                          .floor = {{&series[1], 1}},
                                          .floor_terms = 1,
                                          .mark = FAIRNESS_MARK},
                   "its p99 without the client that floods");
    }
    measure_series_deinit(series, 2);
    return r;
}

int gateway_ask_fairness(struct stage *stage)
{
    struct polite polite = {0};
    void *shared =
        mmap(NULL, sizeof *polite.flood, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return rig_fail(stage->rig, -errno, "memory for the client that floods");
    }
    polite.flood = shared;
    atomic_store_explicit(&polite.flood->state, FLOOD_ON, memory_order_relaxed);
    int r = stage_start_daemon(stage, -1, -1, &polite.caller);
    if (r == 0) {
        polite.client = fork();
        if (polite.client == 0) {
            run_flood(stage, polite.flood);
        }
        r = polite.client < 0 ? rig_fail(stage->rig, -errno, "cannot fork") : 0;
    }
    if (r == 0) {
        await(&polite.flood->state, FLOOD_REST);
        r = measure_fairness(stage, &polite);
        (void)kill(polite.client, SIGKILL);
        (void)waitpid(polite.client, NULL, 0);
    }
    caller_close(&polite.caller);
    stage_end_daemon(stage);
    (void)munmap(shared, sizeof *polite.flood);
    return r;
}
