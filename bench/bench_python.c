/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_rig.h"

/*
 * What an isolated call costs in Python, beside the same function called by ctypes, directly and unprotected, and beside the
 * process pools that people use to survive crashes. All Python rows run in one interpreter (python_rows.py), in turn with the
 * ping-pong.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench_child.h"
#include "floor.h"

#define PINGPONG_SHARE 0.6  /* of ctypes beside the round trip */
#define ARENA_MARK     1.02 /* over 1 MB nothing is copied */
#define CHATTY_SHARE   0.4  /* of ctypes, in batches */
#define POOLS_MARK     0.01 /* a hundredth of a pool's call */
#define KILOBYTE       1024u

struct row {
    struct bench_child *child;
    const char *name;
    uint32_t calls;
    uint32_t warm;
};

struct python_bench {
    struct bench_child child;
    char directory[32];
    char log[64];
    struct floor_pair *pair;
};

/* What waits for a line sleeps; so does its worker: the first calls do not count. */
static double row_round(void *context)
{
    const struct row *row = context;
    double ns = 0;
    if (fprintf(row->child->to, "%s %u %u\n", row->name, row->calls, row->warm) < 0 ||
        fflush(row->child->to) != 0 || fscanf(row->child->from, "%lf", &ns) != 1) {
        fprintf(stderr, "cordon: bench: python3 ended\n");
        exit(1);
    }
    return ns;
}

static void python_close(struct python_bench *bench)
{
    child_close(&bench->child);
    floor_pair_close(bench->pair);
    if (bench->directory[0] != '\0') {
        (void)unlink(bench->log);
        (void)rmdir(bench->directory);
    }
}

static int python_open(struct rig *rig, struct python_bench *bench)
{
    const char *built = BENCH_PYTHON_ROWS_BUILT;
    char host_cpu[16];
    char worker_cpu[16];
    const char *argv[] = {"/usr/bin/python3",
                          access(built, R_OK) == 0 ? built : BENCH_PYTHON_ROWS_INSTALLED, host_cpu,
                          worker_cpu, NULL};
    (void)snprintf(host_cpu, sizeof host_cpu, "%d", rig->host_cpu);
    (void)snprintf(worker_cpu, sizeof worker_cpu, "%d", rig->worker_cpu);
    (void)snprintf(bench->directory, sizeof bench->directory, "/tmp/cordon-bench-XXXXXX");
    if (!mkdtemp(bench->directory)) {
        bench->directory[0] = '\0';
        return rig_fail(rig, -errno, "cannot make a directory");
    }
    (void)snprintf(bench->log, sizeof bench->log, "%s/log", bench->directory);
    if (!getenv("PYTHONPATH") && access(BENCH_PYTHON_BUILT, R_OK) == 0) {
        (void)setenv("PYTHONPATH", BENCH_PYTHON_BUILT, 1);
    }
    (void)setenv("PYTHONDONTWRITEBYTECODE", "1", 0);
    int r = floor_pair_open(rig->worker_cpu, &bench->pair);
    r = r < 0 ? r : child_open(&bench->child, argv, bench->log, 1);
    if (r < 0) {
        return rig_fail(rig, r, "cannot start python3");
    }
    double ns;
    if (fprintf(bench->child.to, "cordon-16 1 0\n") < 0 || fflush(bench->child.to) != 0 ||
        fscanf(bench->child.from, "%lf", &ns) != 1) {
        char said[200];
        child_complaint(&bench->child, said, sizeof said);
        fprintf(stderr, "cordon: bench: no Python package: %s\n", said);
        return 1; /* left out, as other rows are where their program is missing */
    }
    return 0;
}

enum {
    SMALL,
    SMALL_CTYPES,
    KILO,
    KILO_CTYPES,
    MEGA,
    MEGA_CTYPES,
    CHATTY,
    CHATTY_CTYPES,
    EXECUTOR,
    POOL,
    PINGPONG,
    COPY,
    SERIES
};

static void report(struct rig *rig, const struct measure_series *series)
{
    const struct measure_line lines[] = {
        {.subject = &series[SMALL],
         .floor = {{&series[PINGPONG], 1}, {&series[SMALL_CTYPES], PINGPONG_SHARE}},
         .floor_terms = 2,
         .mark = 1},
        {.subject = &series[KILO],
         .floor = {{&series[PINGPONG], 1},
                   {&series[KILO_CTYPES], PINGPONG_SHARE},
                   {&series[COPY], 1}},
         .floor_terms = 3,
         .mark = 1},
        {.subject = &series[MEGA],
         .floor = {{&series[MEGA_CTYPES], 1}},
         .floor_terms = 1,
         .mark = ARENA_MARK},
        {.subject = &series[CHATTY],
         .floor = {{&series[CHATTY_CTYPES], CHATTY_SHARE}},
         .floor_terms = 1,
         .mark = 1},
    };
    static const char *const texts[] = {
        "ping-pong + 0.6 ctypes, direct",
        "ping-pong + 0.6 ctypes, direct + copy",
        "ctypes, direct",
        "0.4 ctypes, direct, per call",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        rig_report(rig, &lines[i], texts[i]);
    }
    struct measure_series small = series[SMALL];
    const int pools[] = {EXECUTOR, POOL};
    static const char *const names[] = {"py executor", "py pool"};
    static const char *const pool_texts[] = {"concurrent.futures.ProcessPoolExecutor",
                                             "multiprocessing.Pool"};
    for (int i = 0; i < 2; i++) {
        small.name = names[i];
        rig_report(rig,
                   &(struct measure_line){.subject = &small,
                                          .floor = {{&series[pools[i]], 1}},
                                          .floor_terms = 1,
                                          .mark = POOLS_MARK},
                   pool_texts[i]);
    }
    for (int i = 0; i < 2; i++) {
        small.name = i == 0 ? "py-ctypes crc32" : "py-ctypes chatty";
        struct measure_series of = series[i == 0 ? SMALL : CHATTY];
        of.name = small.name;
        rig_report(
            rig,
            &(struct measure_line){.subject = &of,
                                   .floor = {{&series[i == 0 ? SMALL_CTYPES : CHATTY_CTYPES], 1}},
                                   .floor_terms = 1},
            "ctypes, direct, for comparison");
    }
}

int bench_python(struct rig *rig)
{
    struct python_bench bench = {.directory = ""};
    int r = python_open(rig, &bench);
    if (r == 0) {
        struct row rows[] = {
            [SMALL] = {&bench.child, "cordon-16", 500, 200},
            [SMALL_CTYPES] = {&bench.child, "ctypes-16", 500, 50},
            [KILO] = {&bench.child, "cordon-1k", 500, 200},
            [KILO_CTYPES] = {&bench.child, "ctypes-1k", 500, 50},
            [MEGA] = {&bench.child, "cordon-1m", 4, 1},
            [MEGA_CTYPES] = {&bench.child, "ctypes-1m", 4, 1},
            [CHATTY] = {&bench.child, "cordon-chatty", 640, 128},
            [CHATTY_CTYPES] = {&bench.child, "ctypes-chatty", 640, 64},
            [EXECUTOR] = {&bench.child, "executor", 3, 1},
            [POOL] = {&bench.child, "pool", 3, 1},
        };
        struct floor_copy copy = {.pair = bench.pair, .bytes = KILOBYTE};
        struct measure_series series[SERIES] = {
            [SMALL] = {.name = "py crc32-16"},
            [KILO] = {.name = "py crc32-1k"},
            [MEGA] = {.name = "py crc32-1m-arena"},
            [CHATTY] = {.name = "py batches of 64"},
            [PINGPONG] = {.round = floor_pingpong_round, .context = bench.pair},
            [COPY] = {.round = floor_copy_foreign_round, .context = &copy},
        };
        for (int i = 0; i < PINGPONG; i++) {
            series[i].round = row_round;
            series[i].context = &rows[i];
        }
        (void)measure_pin(rig->host_cpu);
        r = measure_alternate(series, SERIES, rig->rounds);
        rig_unpin(rig);
        if (r == 0) {
            report(rig, series);
        }
        measure_series_deinit(series, SERIES);
    }
    python_close(&bench);
    return r < 0 ? r : 0;
}
