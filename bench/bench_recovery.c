/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_rig.h"

/*
 * How soon a cell is itself again. A crash is a segmentation fault inside of a call; killed is a SIGKILL that
 * the worker sends itself, after which the kernel takes the process apart before it tells anybody. The time
 * counts from the call's submission. Between crashes the spare is left to get ready. Tails are single
 * operations, floors too: one futex round trip is two wake-ups.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "floor.h"

#define ROUNDS_QUICK      100u
#define ROUNDS_FULL       500u
#define SETTLE_NS         (10 * CLOCK_MS_NS) /* a spare starts, the crashed worker is buried */
#define DEADLINE_NS       (2 * CLOCK_MS_NS)
#define WAKES             4.0
#define SPAWN_SHARE       0.1
#define RECOVERY_TAIL_NS  500e3
#define ANSWER_TAIL_NS    300e3
#define SANDBOX_SHARE     0.25
#define SANDBOX_CALL_MARK 1.05
#define IDLE_MARK_US      1000.0
#define IDLE_SECONDS_FULL 10u
#define IDLE_SECONDS      3u

enum sample {
    SAMPLE_TRIP,     /* floor: one futex round trip */
    SAMPLE_SPAWN,    /* floor: one posix_spawn */
    SAMPLE_ANSWER,   /* submission of the crashing call to its outcome */
    SAMPLE_RECOVERY, /* ... to the next call's answer */
    SAMPLE_KILLED,   /* both, of a killed worker */
    SAMPLE_KILLED_RECOVERY,
    SAMPLE_LATE, /* how late a passed deadline is answered */
    SAMPLE_KINDS,
};

struct recovery {
    struct rig *rig;
    struct cordon_cell *cell;
    struct cordon_function *strlen_;
    struct cordon_function *raise_;
    struct cordon_function *pause_;
    struct cordon_function *abs_;
    struct floor_pair *pair;
    uint32_t rounds;
    double *samples[SAMPLE_KINDS];
};

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Sorts @samples. */
static double quantile(double *samples, uint32_t count, double share)
{
    qsort(samples, count, sizeof *samples, compare);
    return samples[(uint32_t)((double)(count - 1) * share)];
}

static int open_cell(struct recovery *recovery)
{
    struct rig *rig = recovery->rig;
    struct cordon_cell_options options = rig->cell;
    options.library = "";
    options.breaker_percent = options.function_breaker_percent = CORDON_NONE;
    options.reports = ""; /* a thousand of them, each symbolized, would be what is measured */
    int r = cordon_cell_open(&options, &recovery->cell, &rig->error);
    r = r < 0
            ? r
            : cordon_bind(recovery->cell, "int raise(int sig)", 0, &recovery->raise_, &rig->error);
    r = r < 0 ? r
              : cordon_bind(recovery->cell, "size_t strlen(uintptr_t text)", 0, &recovery->strlen_,
                            &rig->error);
    r = r < 0 ? r
              : cordon_bind(recovery->cell, "int pause(void)", 0, &recovery->pause_, &rig->error);
    return r < 0 ? r
                 : cordon_bind(recovery->cell, "int abs(int j)", 0, &recovery->abs_, &rig->error);
}

static void expect(int outcome, int expected, const struct cordon_result *result)
{
    if (outcome != expected) {
        fprintf(stderr, "cordon: bench: %s where %s was expected: %s\n",
                cordon_outcome_name(outcome), cordon_outcome_name(expected), result->error.text);
        exit(1);
    }
}

static void settle(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
}

/* @kind and the one behind it: to its outcome, to the next answer. */
static void crash_round(struct recovery *recovery, struct cordon_function *function,
                        const struct cordon_value *arg, enum sample kind, uint32_t round)
{
    struct cordon_value one = cordon_int(-1);
    struct cordon_result result;
    settle();
    rig_call(recovery->abs_, &one, 1); /* the worker is awake */
    uint64_t began_ns = clock_now_ns();
    expect(cordon_call(function, arg, 1, CORDON_DEFAULT, &result), CORDON_CRASHED, &result);
    uint64_t answered_ns = clock_now_ns();
    rig_call(recovery->abs_, &one, 1);
    recovery->samples[kind + 1][round] = (double)(clock_now_ns() - began_ns);
    recovery->samples[kind][round] = (double)(answered_ns - began_ns);
    rig_call(recovery->abs_, &one,
             1); /* orders the next spare: the call before it was answered at once */
}

static void deadline_round(struct recovery *recovery, uint32_t round)
{
    struct cordon_value one = cordon_int(-1);
    struct cordon_result result;
    settle();
    rig_call(recovery->abs_, &one, 1);
    uint64_t deadline_ns = clock_after_ns(DEADLINE_NS);
    expect(cordon_call(recovery->pause_, NULL, 0, deadline_ns, &result), CORDON_TIMEOUT, &result);
    recovery->samples[SAMPLE_LATE][round] = (double)(clock_now_ns() - deadline_ns);
    rig_call(recovery->abs_, &one, 1);
    rig_call(recovery->abs_, &one, 1);
}

static void report(struct recovery *recovery)
{
    struct rig *rig = recovery->rig;
    double *const *samples = recovery->samples;
    uint32_t n = recovery->rounds;
    double *floors = calloc(n + 1u, sizeof *floors);
    for (uint32_t i = 0; floors && i < n; i++) {
        floors[i] = WAKES / 2 * samples[SAMPLE_TRIP][i] + SPAWN_SHARE * samples[SAMPLE_SPAWN][i];
    }
    if (!floors) {
        return;
    }
    double floor_tail = quantile(floors, n, 0.99) + RECOVERY_TAIL_NS;
    free(floors);
    double floor_half = WAKES / 2 * quantile(samples[SAMPLE_TRIP], n, 0.5) +
                        SPAWN_SHARE * quantile(samples[SAMPLE_SPAWN], n, 0.5);
    double answer_tail = quantile(samples[SAMPLE_TRIP], n, 0.99) + ANSWER_TAIL_NS;
    rig_report_value(rig, "recovery p50", "ns", quantile(samples[SAMPLE_RECOVERY], n, 0.5),
                     floor_half, 1, "4 wake-ups + 0.1 x posix_spawn");
    rig_report_value(rig, "recovery p99", "ns", quantile(samples[SAMPLE_RECOVERY], n, 0.99),
                     floor_tail, 1, "p99 of that + 0.5 ms");
    rig_report_value(rig, "crash told p50", "ns", quantile(samples[SAMPLE_ANSWER], n, 0.5),
                     answer_tail, 0, "as below");
    rig_report_value(rig, "crash told p99", "ns", quantile(samples[SAMPLE_ANSWER], n, 0.99),
                     answer_tail, 1, "p99 of a futex round trip + 0.3 ms");
    rig_report_value(rig, "killed told p50", "ns", quantile(samples[SAMPLE_KILLED], n, 0.5),
                     answer_tail, 0, "as above");
    rig_report_value(rig, "killed recovery", "ns",
                     quantile(samples[SAMPLE_KILLED_RECOVERY], n, 0.5), floor_half, 0,
                     "as recovery p50");
    rig_report_value(rig, "deadline p99", "ns", quantile(samples[SAMPLE_LATE], n, 0.99),
                     answer_tail, 1, "p99 of a futex round trip + 0.3 ms");
}

static int measure(struct recovery *recovery)
{
    void *empty = (void *)(uintptr_t)recovery->rig->empty_program;
    const struct cordon_value bad_address = cordon_uint(8);
    const struct cordon_value sigkill = cordon_int(SIGKILL);
    for (uint32_t i = 0; i < recovery->rounds; i++) {
        recovery->samples[SAMPLE_TRIP][i] = floor_futex_once(recovery->pair);
        crash_round(recovery, recovery->strlen_, &bad_address, SAMPLE_ANSWER, i);
        recovery->samples[SAMPLE_SPAWN][i] = floor_spawn_once(empty);
        crash_round(recovery, recovery->raise_, &sigkill, SAMPLE_KILLED, i);
        deadline_round(recovery, i);
    }
    report(recovery);
    return 0;
}

/* ---- What the sandbox costs -------------------------------------------------------------------- */

struct sandbox_pair {
    struct rig *rig;
    struct cordon_cell *cell;
    struct cordon_function *function;
};

static double start_round(void *context)
{
    struct sandbox_pair *pair = context;
    struct cordon_session *session = NULL;
    uint64_t began_ns = clock_now_ns();
    if (cordon_session_open(pair->cell, &session, &pair->rig->error) != 0) {
        fprintf(stderr, "cordon: bench: %s\n", pair->rig->error.text);
        exit(1);
    }
    uint64_t took_ns = clock_now_ns() - began_ns;
    cordon_session_close(session);
    return (double)took_ns;
}

static int open_with(struct rig *rig, enum cordon_policy policy, struct sandbox_pair *ret_pair)
{
    struct cordon_cell_options options = rig->cell;
    *ret_pair = (struct sandbox_pair){.rig = rig};
    options.library = "libz.so.1";
    options.policy = policy;
    options.spares = CORDON_NONE;
    int r = cordon_cell_open(&options, &ret_pair->cell, &rig->error);
    return r < 0 ? r
                 : cordon_bind(ret_pair->cell,
                               "unsigned long crc32_combine(unsigned long a, "
                               "unsigned long b, long length)",
                               0, &ret_pair->function, &rig->error);
}

static double combine_round(void *context)
{
    const struct sandbox_pair *pair = context;
    const struct cordon_value args[] = {cordon_uint(1), cordon_uint(2), cordon_int(1)};
    for (uint32_t i = 0; i < 50; i++) {
        rig_call(pair->function, args, 3);
    }
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < 500; i++) {
        rig_call(pair->function, args, 3);
    }
    return (double)(clock_now_ns() - began_ns) / 500;
}

static void report_sandbox(struct rig *rig, struct measure_series *series)
{
    struct measure_line start = {
        .subject = &series[0], .floor = {{&series[1], 1}}, .floor_terms = 1};
    double spawn_ns = measure_spread(series[2].samples_ns, series[2].rounds).median;
    rig_report_value(rig, "sandbox start", "ns", measure_excess_ns(&start).median, spawn_ns,
                     SANDBOX_SHARE, "posix_spawn of an empty program");
    struct measure_line call = {.subject = &series[3],
                                .floor = {{&series[4], 1}},
                                .floor_terms = 1,
                                .mark = SANDBOX_CALL_MARK};
    rig_report(rig, &call, "the same call under policy trusted");
}

static int ask_sandbox(struct rig *rig)
{
    struct sandbox_pair strict = {.cell = NULL};
    struct sandbox_pair trusted = {.cell = NULL};
    int r = open_with(rig, CORDON_POLICY_STRICT, &strict);
    r = r < 0 ? r : open_with(rig, CORDON_POLICY_TRUSTED, &trusted);
    struct measure_series series[] = {
        {.name = "strict", .round = start_round, .context = &strict},
        {.name = "trusted", .round = start_round, .context = &trusted},
        {.name = "spawn",
         .round = floor_spawn_round,
         .context = (void *)(uintptr_t)rig->empty_program},
        {.name = "sandbox call", .round = combine_round, .context = &strict},
        {.name = "trusted call", .round = combine_round, .context = &trusted},
    };
    if (r == 0) {
        r = measure_alternate(series, 5, rig->rounds * 3);
        if (r == 0) {
            report_sandbox(rig, series);
        }
        measure_series_deinit(series, 5);
    }
    cordon_cell_close(strict.cell);
    cordon_cell_close(trusted.cell);
    return r;
}

/* ---- What an idle spare costs ------------------------------------------------------------------ */

/* Time on a CPU of all workers of process @keeper, in nanoseconds; 0: not known. */
static uint64_t children_cpu_ns(int keeper)
{
    char path[96];
    char ids[256] = "";
    uint64_t sum = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", keeper, keeper);
    FILE *stream = fopen(path, "re");
    if (!stream || !fgets(ids, sizeof ids, stream)) {
        ids[0] = '\0';
    }
    if (stream) {
        (void)fclose(stream);
    }
    char *rest = NULL;
    for (char *id = strtok_r(ids, " \n", &rest); id; id = strtok_r(NULL, " \n", &rest)) {
        unsigned long long ns = 0;
        (void)snprintf(path, sizeof path, "/proc/%d/schedstat", atoi(id));
        stream = fopen(path, "re");
        if (stream && fscanf(stream, "%llu", &ns) == 1) {
            sum += ns;
        }
        if (stream) {
            (void)fclose(stream);
        }
    }
    return sum;
}

static int parent_of(int pid)
{
    char path[64];
    int parent = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *stream = fopen(path, "re");
    if (stream && fscanf(stream, "%*d (%*[^)]) %*c %d", &parent) != 1) {
        parent = 0;
    }
    if (stream) {
        (void)fclose(stream);
    }
    return parent;
}

static int ask_idle(struct recovery *recovery)
{
    struct rig *rig = recovery->rig;
    struct timespec idle = {.tv_sec = rig->rounds > 20 ? IDLE_SECONDS_FULL : IDLE_SECONDS};
    struct cordon_value one = cordon_int(-1);
    rig_call(recovery->abs_, &one, 1);
    (void)nanosleep(&(struct timespec){.tv_nsec = 200 * 1000 * 1000}, NULL);
    int keeper = parent_of(cordon_session_worker_pid(cordon_session_current(recovery->cell)));
    uint64_t before_ns = keeper > 0 ? children_cpu_ns(keeper) : 0;
    (void)nanosleep(&idle, NULL);
    uint64_t after_ns = children_cpu_ns(keeper);
    uint64_t used_ns = after_ns - before_ns;
    if (before_ns == 0 || after_ns < before_ns) {
        return rig_fail(rig, -ENODATA, "the workers' CPU time");
    }
    rig_report_value(rig, "idle with spare", "us/min",
                     (double)used_ns / 1e3 * 60.0 / (double)idle.tv_sec, IDLE_MARK_US, 1,
                     "1 ms of CPU per minute: a worker and its spare");
    return 0;
}

int bench_recovery(struct rig *rig)
{
    struct recovery recovery = {.rig = rig,
                                .rounds = rig->rounds > 20 ? ROUNDS_FULL : ROUNDS_QUICK};
    int r = 0;
    for (int i = 0; i < SAMPLE_KINDS && r == 0; i++) {
        recovery.samples[i] = calloc(recovery.rounds, sizeof(double));
        r = recovery.samples[i] ? 0 : -ENOMEM;
    }
    rig_unpin(rig);
    r = r < 0 ? r : open_cell(&recovery);
    r = r < 0 ? r : floor_pair_open(-1, &recovery.pair);
    r = r < 0 ? r : measure(&recovery);
    r = r < 0 ? r : ask_idle(&recovery);
    floor_pair_close(recovery.pair);
    cordon_cell_close(recovery.cell);
    for (int i = 0; i < SAMPLE_KINDS; i++) {
        free(recovery.samples[i]);
    }
    return r < 0 ? r : ask_sandbox(rig);
}
