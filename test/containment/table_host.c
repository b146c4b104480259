/* SPDX-License-Identifier: Apache-2.0 */

/* The host of one case: a program that uses a library that misbehaves, and looks at what became of itself. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "table.h"
#include "unharmed.h"

#define HANG_DEADLINE_MS 300u
#define START_MS         500u /* of a library that hangs while it is loaded */
#define DEADLINE_MS      15000u
#define PATIENCE_NS      (6 * CLOCK_SECOND_NS) /* until a good call must have been answered rightly */
#define STEPS            8
#define BUFFER_BYTES     4096u
#define MARGIN_BYTES     64u
#define LITTLE_MEMORY    (256ull << 20)

struct host {
    const struct table_fault *fault;
    enum cordon_level level;
    struct table_report *report;
    struct cordon_cell *cell;
    int number;
};

/* What went wrong without the fault: the case cannot say anything. */
static _Noreturn void give_up(struct host *host, const char *what, const char *why)
{
    (void)snprintf(host->report->harm, sizeof host->report->harm, "%s: %s", what, why);
    _exit(1);
}

/* ---- Cells ------------------------------------------------------------------------------------- */

static const char *faults_library(void)
{
    const char *path = getenv("CORDON_TEST_FAULTS");
    return path ? path : "";
}

static int open_cell(const struct host *host, const char *library, struct cordon_cell **ret_cell,
                     struct cordon_error *ret_error)
{
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    options.library = library;
    options.level = host->level;
    options.reports = "";
    /* A breaker would hide what the next call meets. */
    options.breaker_percent = CORDON_NONE;
    options.function_breaker_percent = CORDON_NONE;
    if (host->fault->flags & TABLE_HANGS && strcmp(library, faults_library()) != 0) {
        options.start_ms = START_MS;
    }
    options.events = host->fault->flags & TABLE_EVENTS;
    options.policy =
        host->fault->flags & TABLE_TRUSTED ? CORDON_POLICY_TRUSTED : CORDON_POLICY_STRICT;
    if (host->fault->flags & TABLE_LITTLE_MEMORY) {
        options.memory_bytes = LITTLE_MEMORY;
        options.recycle_bytes = LITTLE_MEMORY / 4;
    }
    return cordon_cell_open(&options, ret_cell, ret_error);
}

/* "/folder/libfault_ctor_NAME.so", beside the others. */
static void constructor_library(const struct table_fault *fault, char *path, size_t size)
{
    const char *faults = faults_library();
    const char *slash = strrchr(faults, '/');
    (void)snprintf(path, size, "%.*s/libfault_%s.so", slash ? (int)(slash - faults) : 0, faults,
                   fault->symbol);
}

/* ---- A good call ------------------------------------------------------------------------------- */

static int call_good(struct cordon_cell *cell, int value, struct cordon_result *ret_result)
{
    struct cordon_function *good;
    struct cordon_value arg = cordon_int(value);
    int r = cordon_bind(cell, "int fault_none(int value)", 0, &good, &ret_result->error);
    r = r == 0 ? cordon_call(good, &arg, 1, cordon_after_ms(3000), ret_result) : r;
    return r == CORDON_DONE && ret_result->value.i != value ? -EBADMSG : r;
}

/* In this process a cell that was poisoned refuses for good; cordon_bind() says so by an errno. */
static bool is_final(const struct host *host, int r)
{
    return host->level != CORDON_LEVEL_PROCESS && (r == CORDON_OPEN || r == -EAGAIN);
}

/* Until it is answered, and rightly; a poisoned cell never will. */
static bool recovers(const struct host *host, struct cordon_cell *cell)
{
    struct cordon_result result;
    uint64_t until_ns = clock_after_ns(PATIENCE_NS);
    for (int value = 1000;; value++) {
        memset(&result, 0, sizeof result);
        int r = call_good(cell, value, &result);
        if (r == CORDON_DONE) {
            return true;
        }
        if (is_final(host, r) || clock_now_ns() > until_ns) {
            (void)snprintf(host->report->detail, sizeof host->report->detail, "%d: %.300s", r,
                           result.error.text);
            return false;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static bool fresh_cell_serves(const struct host *host)
{
    struct cordon_cell *cell = NULL;
    struct cordon_error error;
    if (open_cell(host, faults_library(), &cell, &error) != 0) {
        (void)snprintf(host->report->detail, sizeof host->report->detail, "no fresh cell: %.300s",
                       error.text);
        return false;
    }
    bool serves = recovers(host, cell);
    cordon_cell_close(cell);
    return serves;
}

/* ---- The fault --------------------------------------------------------------------------------- */

static int answer(void *context, struct cordon_session *session, const struct cordon_value *args,
                  size_t count, struct cordon_value *ret_value)
{
    (void)context;
    (void)session;
    *ret_value = cordon_int(count == 1 ? args[0].i + 1 : 0);
    return 0;
}

static int call_by_name(struct host *host, const char *prototype, const struct cordon_value *args,
                        size_t count, struct cordon_result *ret_result)
{
    struct cordon_function *function;
    int r = cordon_bind(host->cell, prototype, CORDON_BEST_EFFORT, &function, &ret_result->error);
    if (r != 0) {
        return r;
    }
    uint32_t ms = host->fault->flags & TABLE_HANGS ? HANG_DEADLINE_MS : DEADLINE_MS;
    return cordon_call(function, args, count, cordon_after_ms(ms), ret_result);
}

static int call_with_callback(struct host *host, struct cordon_result *ret_result)
{
    char prototype[128];
    struct cordon_callback *callback = NULL;
    (void)snprintf(prototype, sizeof prototype,
                   "int fault_%s(int (*callback)(int value) fails(0), int value)",
                   host->fault->symbol);
    if (cordon_callback_new(answer, NULL, &callback) != 0) {
        return -ENOMEM;
    }
    const struct cordon_value args[] = {cordon_function_pointer(callback), cordon_int(1)};
    int r = call_by_name(host, prototype, args, 2, ret_result);
    cordon_callback_free(callback);
    return r;
}

static int call_with_buffer(struct host *host, struct cordon_result *ret_result)
{
    static unsigned char memory[MARGIN_BYTES + BUFFER_BYTES + MARGIN_BYTES];
    char prototype[128];
    (void)snprintf(prototype, sizeof prototype,
                   "int fault_%s(out uint8_t bytes[n], size_t n, int value)", host->fault->symbol);
    memset(memory, 0x11, sizeof memory);
    const struct cordon_value args[] = {cordon_out(memory + MARGIN_BYTES, BUFFER_BYTES),
                                        cordon_uint(BUFFER_BYTES), cordon_int(0)};
    int r = call_by_name(host, prototype, args, 3, ret_result);
    for (size_t i = 0; i < MARGIN_BYTES; i++) {
        if (memory[i] != 0x11 || memory[MARGIN_BYTES + BUFFER_BYTES + i] != 0x11) {
            give_up(host, "behind the call's buffer", "memory was written");
        }
    }
    return r;
}

static int call_for_handle(struct host *host, struct cordon_result *ret_result)
{
    char prototype[128];
    struct cordon_value arg = cordon_int(0);
    (void)snprintf(prototype, sizeof prototype, "struct thing; struct thing *fault_%s(int value)",
                   host->fault->symbol);
    int r = call_by_name(host, prototype, &arg, 1, ret_result);
    if (r != CORDON_DONE) {
        return r;
    }
    arg = ret_result->value;
    r = call_by_name(host, "struct thing; int fault_lane_use(struct thing *object)", &arg, 1,
                     ret_result);
    host->report->managed += r == CORDON_DONE;
    return r;
}

static int call_once(struct host *host, int value, struct cordon_result *ret_result)
{
    char prototype[128];
    struct cordon_value arg = cordon_int(value);
    if (host->fault->flags & TABLE_CALLBACK) {
        return call_with_callback(host, ret_result);
    }
    if (host->fault->flags & TABLE_BYTES) {
        return call_with_buffer(host, ret_result);
    }
    if (host->fault->flags & TABLE_HANDLE) {
        return call_for_handle(host, ret_result);
    }
    (void)snprintf(prototype, sizeof prototype, "int fault_%s(int value)", host->fault->symbol);
    int r = call_by_name(host, prototype, &arg, 1, ret_result);
    if (r == CORDON_DONE && host->fault->flags & TABLE_ACT) {
        host->report->managed += (int32_t)ret_result->value.i;
    }
    return r;
}

static void note_outcome(struct table_report *report, int r, const struct cordon_result *result)
{
    report->outcome = r;
    if (r == CORDON_CRASHED) {
        report->signal = result->signal;
        report->exit_status = result->exit_status;
    }
    if (r != CORDON_DONE) {
        (void)snprintf(report->detail, sizeof report->detail, "%.300s", result->error.text);
    }
}

/* The outcome that is told of several calls is the last. */
static void commit(struct host *host)
{
    struct cordon_result result;
    uint32_t calls = host->fault->calls ? host->fault->calls : 1;
    if (host->fault->flags & TABLE_STEPS) {
        calls = STEPS;
    }
    for (uint32_t i = 0; i < calls; i++) {
        bool stepping = host->fault->flags & TABLE_STEPS;
        memset(&result, 0, sizeof result);
        int r = call_once(host, stepping ? (int)i : host->number, &result);
        note_outcome(host->report, r, &result);
        if (r == CORDON_DONE) {
            cordon_result_release(&result);
        }
        if (stepping && i + 1 < calls && !recovers(host, host->cell)) {
            return;
        }
    }
}

/* True if there is a cell to go on with. */
static bool open_faulty_cell(struct host *host)
{
    char path[512];
    struct cordon_result result = {.error = {.text = ""}};
    (void)snprintf(path, sizeof path, "%s", faults_library());
    if (host->fault->flags & TABLE_CONSTRUCTOR) {
        constructor_library(host->fault, path, sizeof path);
    }
    int r = open_cell(host, path, &host->cell, &result.error);
    if (r != 0 && !(host->fault->flags & TABLE_CONSTRUCTOR)) {
        give_up(host, "no cell", result.error.text);
    }
    if (r != 0) {
        note_outcome(host->report, r, &result);
    }
    return r == 0;
}

static void play(struct host *host)
{
    struct cordon_result result;
    if (!open_faulty_cell(host)) {
        uint64_t begin_ns = clock_now_ns();
        host->report->same_cell = host->report->fresh_cell = fresh_cell_serves(host);
        host->report->recovery_ns = clock_now_ns() - begin_ns;
        return;
    }
    if (call_good(host->cell, 7, &result) != CORDON_DONE) {
        give_up(host, "a good call before", result.error.text);
    }
    commit(host);
    uint64_t begin_ns = clock_now_ns();
    host->report->same_cell = recovers(host, host->cell);
    host->report->recovery_ns = clock_now_ns() - begin_ns;
    host->report->fresh_cell = fresh_cell_serves(host);
    struct cordon_cell_stats stats;
    cordon_cell_stats(host->cell, &stats);
    host->report->quarantined = stats.quarantined > 0;
    cordon_cell_close(host->cell);
}

/* A cell once opened and closed leaves a keeper, and handlers at levels in this process: they may stay. */
static void warm_up(struct host *host)
{
    struct cordon_cell *cell = NULL;
    struct cordon_error error;
    if (open_cell(host, "", &cell, &error) != 0) {
        give_up(host, "no cell on the C library", error.text);
    }
    cordon_cell_close(cell);
}

void table_host(const struct table_fault *fault, enum cordon_level level,
                struct table_report *report)
{
    static struct unharmed marks;
    struct host host = {.fault = fault, .level = level, .report = report};
    (void)setpgid(0, 0);
    unharmed_prepare(&marks);
    host.number = report->number = marks.number;
    warm_up(&host);
    unharmed_take(&marks);
    play(&host);
    /* In this process a library that faulted, or a thread that runs away, stays with what it has. */
    bool left = level != CORDON_LEVEL_PROCESS && (report->quarantined || !report->same_cell);
    unharmed_compare(&marks, left, report->harm, sizeof report->harm);
    report->finished = true;
    _exit(0);
}
