/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_rig.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floor.h"

#define ROUNDS_QUICK 9u
#define ROUNDS_FULL  41u

const struct rig_question rig_questions[] = {
    {"add", "two integers in, one out, both sides spinning", bench_add},
    {"batch", "the same in batches of 64, per call", bench_batch},
    {"crc32-1k", "crc32 over 1 KB", bench_crc32_1k},
    {"crc32-1m-arena", "crc32 over 1 MB in arena memory", bench_crc32_1m_arena},
    {"crc32-1m-copied", "crc32 over 1 MB, copied", bench_crc32_1m_copied},
    {"parked", "a call whose worker sleeps", bench_parked},
    {"one-cpu", "caller and worker on one CPU", bench_one_cpu},
    {"spaced", "calls 0, 5, 20, 100 and 1000 us apart", bench_spaced},
    {"crowded", "twice as many callers as CPUs", bench_crowded},
    {"open", "opening a cell on libz.so.1 to the first result", bench_open},
    {"memory", "private memory of a worker above its library", bench_memory},
    {"idle", "CPU time of an idle cell", bench_idle},
    {"recovery", "a crash, a deadline, a sandbox; a spare's idleness", bench_recovery},
    {"gateway", "the daemon's socket: one client, many, attached ones; memory", bench_gateway},
    {"python", "Python's package beside ctypes and process pools", bench_python},
    {NULL, NULL, NULL},
};

void rig_init(struct rig *rig, bool quick, const char *empty_program)
{
    *rig = (struct rig){.cell = CORDON_CELL_OPTIONS,
                        .rounds = quick ? ROUNDS_QUICK : ROUNDS_FULL,
                        .empty_program = empty_program};
    if (sched_getaffinity(0, sizeof rig->cpus, &rig->cpus) < 0) {
        CPU_ZERO(&rig->cpus);
        CPU_SET(0, &rig->cpus);
    }
    measure_two_cpus(&rig->host_cpu, &rig->worker_cpu);
}

void rig_unpin(const struct rig *rig)
{
    (void)sched_setaffinity(0, sizeof rig->cpus, &rig->cpus);
}

void rig_report_value(struct rig *rig, const char *name, const char *unit, double value,
                      double floor, double mark, const char *floor_text)
{
    if (rig->line_count == RIG_LINES_MAX) {
        return;
    }
    struct rig_line *line = &rig->lines[rig->line_count++];
    *line = (struct rig_line){
        .unit = unit, .value = value, .floor = floor, .ratio = value / floor, .mark = mark};
    (void)snprintf(line->name, sizeof line->name, "%s", name);
    (void)snprintf(line->floor_text, sizeof line->floor_text, "%s", floor_text);
}

void rig_report(struct rig *rig, const struct measure_line *line, const char *floor_text)
{
    double floor_ns = 0;
    for (uint32_t i = 0; i < line->floor_terms; i++) {
        const struct measure_series *series = line->floor[i].series;
        floor_ns +=
            line->floor[i].weight * measure_spread(series->samples_ns, series->rounds).median;
    }
    const struct measure_series *subject = line->subject;
    rig_report_value(rig, subject->name, "ns",
                     measure_spread(subject->samples_ns, subject->rounds).median, floor_ns,
                     line->mark, floor_text);
    if (rig->line_count > 0) {
        rig->lines[rig->line_count - 1].ratio = measure_ratio(line).median;
    }
}

int rig_fail(struct rig *rig, int error, const char *what)
{
    (void)snprintf(rig->error.text, sizeof rig->error.text, "%s: %s", what, strerror(-error));
    return error;
}

static int pin_task(const struct rig *rig, int task, int cpu)
{
    cpu_set_t set = rig->cpus;
    if (cpu >= 0) {
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
    }
    return sched_setaffinity(task, sizeof set, &set) < 0 ? -errno : 0;
}

int rig_pin_worker(const struct rig *rig, struct cordon_session *session, int cpu)
{
    char path[64];
    int pid = session ? cordon_session_worker_pid(session) : 0;
    if (pid <= 0) {
        return -ESRCH;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (!tasks) {
        return -errno;
    }
    int r = 0;
    for (struct dirent *entry; (entry = readdir(tasks)) && r == 0;) {
        int task = atoi(entry->d_name);
        r = task > 0 ? pin_task(rig, task, cpu) : 0;
    }
    (void)closedir(tasks);
    return r;
}

int rig_subject_open(struct rig *rig, const struct rig_wish *wish, struct rig_subject *ret_subject)
{
    struct rig_subject subject = {0};
    struct cordon_cell_options options = rig->cell;
    options.library = wish->library;
    options.arena_bytes = wish->arena_bytes;
    options.sessions = wish->sessions;
    rig_unpin(rig); /* keeper and workers inherit where they may run */
    int r = cordon_cell_open(&options, &subject.cell, &rig->error);
    r = r < 0 ? r : cordon_bind(subject.cell, wish->prototype, 0, &subject.function, &rig->error);
    if (r == 0) {
        subject.session = cordon_session_current(subject.cell);
        r = rig_pin_worker(rig, subject.session, wish->worker_cpu);
        r = r < 0 ? rig_fail(rig, r, "cannot choose the worker's CPU") : 0;
    }
    if (r < 0) {
        rig_subject_close(&subject);
        return r;
    }
    *ret_subject = subject;
    return 0;
}

void rig_subject_close(struct rig_subject *subject)
{
    cordon_cell_close(subject->cell);
    *subject = (struct rig_subject){0};
}

void rig_call(struct cordon_function *function, const struct cordon_value *args, size_t count)
{
    struct cordon_result result;
    int outcome = cordon_call(function, args, count, CORDON_DEFAULT, &result);
    if (outcome != CORDON_DONE) {
        /* A number that stands for something else would be worse than none. */
        fprintf(stderr, "cordon: bench: a call ended as %s: %s\n",
                outcome < 0 ? strerror(-outcome) : cordon_outcome_name(outcome), result.error.text);
        exit(1);
    }
}

double rig_call_floor_round(void *context)
{
    return 1.5 * floor_ffi_round(context) + floor_clock_round(context);
}
