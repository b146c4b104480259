/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_rig.h"

/* What a cell costs beside its calls: to open it, to have it, to leave it alone. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "floor.h"

#define OPEN_MARK         3.0
#define MEMORY_MARK_KIB   2048.0
#define IDLE_MARK_US      1000.0 /* of CPU per minute */
#define IDLE_SECONDS_FULL 10u
#define IDLE_SECONDS      3u

static const struct rig_wish zlib = {
    .library = "libz.so.1",
    .prototype = "unsigned long crc32(unsigned long crc, const uint8_t buf[len], unsigned len)",
    .worker_cpu = -1,
};

static double open_round(void *context)
{
    struct rig *rig = context;
    struct cordon_cell_options options = rig->cell;
    struct cordon_cell *cell = NULL;
    struct cordon_function *function = NULL;
    const struct cordon_value args[] = {cordon_uint(0), cordon_in("cordon", 6)};
    options.library = zlib.library;
    uint64_t began_ns = clock_now_ns();
    if (cordon_cell_open(&options, &cell, &rig->error) < 0 ||
        cordon_bind(cell, zlib.prototype, 0, &function, &rig->error) < 0) {
        fprintf(stderr, "cordon: bench: %s\n", rig->error.text);
        exit(1);
    }
    rig_call(function, args, 2);
    uint64_t took_ns = clock_now_ns() - began_ns;
    cordon_cell_close(cell);
    return (double)took_ns;
}

int bench_open(struct rig *rig)
{
    struct rig_subject first; /* keeps the keeper running */
    int r = rig_subject_open(rig, &zlib, &first);
    if (r < 0) {
        return r;
    }
    struct measure_series series[] = {
        {.name = "open", .round = open_round, .context = rig},
        {.round = floor_spawn_round, .context = (void *)(uintptr_t)rig->empty_program},
    };
    r = measure_alternate(series, 2, rig->rounds);
    if (r == 0) {
        rig_report(rig,
                   &(struct measure_line){.subject = &series[0],
                                          .floor = {{&series[1], 1}},
                                          .floor_terms = 1,
                                          .mark = OPEN_MARK},
                   "posix_spawn of an empty program");
    }
    measure_series_deinit(series, 2);
    rig_subject_close(&first);
    return r;
}

/* "Name:   123 kB" in /proc/PID/FILE; -1: not there. */
static long proc_number(int pid, const char *file, const char *name)
{
    char path[64];
    char line[512];
    long number = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *stream = fopen(path, "re");
    while (stream && number < 0 && fgets(line, sizeof line, stream)) {
        size_t length = strlen(name);
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            number = strtol(line + length + 1, NULL, 10);
        }
    }
    if (stream) {
        (void)fclose(stream);
    }
    return number;
}

/* Private pages of all mappings but those of @library, in KiB; -1: not readable by this user. */
static long private_kib(int pid, const char *library)
{
    char path[64];
    char line[512];
    bool counted = false;
    long sum = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/smaps", pid);
    FILE *stream = fopen(path, "re");
    if (!stream) {
        return -1;
    }
    bool any = false;
    while (fgets(line, sizeof line, stream)) {
        any = true;
        if (strchr(line, '-') && strchr(line, '-') < line + 17) { /* "7f12...-7f34... r--p ..." */
            counted = !strstr(line, library);
        } else if (counted && strncmp(line, "Private_", 8) == 0 && strchr(line, ':')) {
            sum += strtol(strchr(line, ':') + 1, NULL, 10);
        }
    }
    (void)fclose(stream);
    return any ? sum : -1;
}

int bench_memory(struct rig *rig)
{
    struct rig_subject subject;
    int r = rig_subject_open(rig, &zlib, &subject);
    if (r < 0) {
        return r;
    }
    const struct cordon_value args[] = {cordon_uint(0), cordon_in("cordon", 6)};
    rig_call(subject.function, args, 2);
    int pid = cordon_session_worker_pid(subject.session);
    long kib = private_kib(pid, "libz.so");
    const char *text = "2 MiB";
    if (kib < 0) {
        /* Not ours to look into: all of its anonymous memory, the library's included. */
        kib = proc_number(pid, "status", "RssAnon");
        text = "2 MiB (counting the library's)";
    }
    if (kib > 0) {
        rig_report_value(rig, "memory", "KiB", (double)kib, MEMORY_MARK_KIB, 1, text);
    } else {
        r = rig_fail(rig, -ENODATA, "the worker's memory");
    }
    rig_subject_close(&subject);
    return r;
}

/* Time on a CPU of process @pid's main thread, in nanoseconds; 0: not known. */
static uint64_t cpu_ns(int pid)
{
    char path[64];
    unsigned long long ns = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    FILE *stream = fopen(path, "re");
    if (stream) {
        if (fscanf(stream, "%llu", &ns) != 1) {
            ns = 0;
        }
        (void)fclose(stream);
    }
    return ns;
}

static uint64_t own_cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * CLOCK_SECOND_NS + (uint64_t)now.tv_nsec;
}

int bench_idle(struct rig *rig)
{
    struct rig_subject subject;
    int r = rig_subject_open(rig, &zlib, &subject);
    if (r < 0) {
        return r;
    }
    const struct cordon_value args[] = {cordon_uint(0), cordon_in("cordon", 6)};
    rig_call(subject.function, args, 2);
    int worker = cordon_session_worker_pid(subject.session);
    int keeper = (int)proc_number(worker, "status", "PPid");
    /* The last call's spinning is over long before this is. */
    struct timespec settle = {.tv_nsec = 200 * 1000 * 1000};
    (void)nanosleep(&settle, NULL);
    struct timespec idle = {.tv_sec = rig->rounds > 20 ? IDLE_SECONDS_FULL : IDLE_SECONDS};
    uint64_t cell_ns = cpu_ns(worker) + cpu_ns(keeper);
    uint64_t own_ns = own_cpu_ns(); /* last, and first afterwards: looking costs time as well */
    (void)nanosleep(&idle, NULL);
    own_ns = own_cpu_ns() - own_ns;
    uint64_t used_ns = own_ns + cpu_ns(worker) + cpu_ns(keeper) - cell_ns;
    if (cell_ns == 0 || worker <= 0 || keeper <= 0) {
        r = rig_fail(rig, -ENODATA, "the cell's CPU time");
    } else {
        double us_per_minute = (double)used_ns / 1e3 * 60.0 / (double)idle.tv_sec;
        rig_report_value(rig, "idle", "us/min", us_per_minute, IDLE_MARK_US, 1,
                         "1 ms of CPU per minute");
    }
    rig_subject_close(&subject);
    return r;
}
