/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_view.h"

#include <stdio.h>
#include <string.h>

#include "cli/cell_tones.h"
#include "cli/figures.h"
#include "cli/plain.h"
#include "cordon/outcome.h"

#define TEXT_BYTES 320u

enum {
    C_NAME,
    C_STATE,
    C_RATE,
    C_P50,
    C_P99,
    C_WORKERS,
    C_FLIGHT,
    C_QUEUE,
    C_ERRORS,
    C_MEMORY,
    C_BREAKER,
    C_RESTARTS,
    C_LAST,
};
static const struct table_column cell_columns[] = {
    [C_NAME] = {"CELL", true, 0, 8},       [C_STATE] = {"STATE", true, 3, 0},
    [C_RATE] = {"CALLS/S", false, 1, 0},   [C_P50] = {"P50", false, 7, 6},
    [C_P99] = {"P99", false, 2, 6},        [C_WORKERS] = {"WORKERS", false, 4, 0},
    [C_FLIGHT] = {"FLIGHT", false, 12, 0}, [C_QUEUE] = {"QUEUE", false, 5, 0},
    [C_ERRORS] = {"ERR/S", false, 9, 0},   [C_MEMORY] = {"MEM", false, 11, 5},
    [C_BREAKER] = {"BREAKER", true, 8, 0}, [C_RESTARTS] = {"RESTARTS", false, 10, 0},
    [C_LAST] = {"LAST END", true, 6, 0},   {NULL, false, 0, 0},
};

enum {
    M_NAME,
    M_RATE,
    M_P50,
    M_P99,
    M_ERRORS,
    M_CALLS,
    M_CRASHED,
    M_TIMEOUT,
    M_REFUSED,
    M_FAILED,
};
static const struct table_column method_columns[] = {
    [M_NAME] = {"METHOD", true, 0, 0},
    [M_RATE] = {"CALLS/S", false, 1, 0},
    [M_P50] = {"P50", false, 5, 6},
    [M_P99] = {"P99", false, 2, 6},
    [M_ERRORS] = {"ERR/S", false, 3, 0},
    [M_CALLS] = {"CALLS", false, 4, 0},
    [M_CRASHED] = {"CRASHED", false, 6, 0},
    [M_TIMEOUT] = {"TIMEOUT", false, 7, 0},
    [M_REFUSED] = {"REFUSED", false, 8, 0},
    [M_FAILED] = {"FAILED", false, 9, 0},
    {NULL, false, 0, 0},
};

enum { W_NUMBER, W_STATE, W_PID, W_FLIGHT, W_MEMORY, W_OWNER };
static const struct table_column worker_columns[] = {
    [W_NUMBER] = {"WORKER", true, 0, 0},
    [W_STATE] = {"STATE", true, 1, 9},
    [W_PID] = {"PID", false, 2, 7},
    [W_FLIGHT] = {"FLIGHT", false, 4, 0},
    [W_MEMORY] = {"MEM", false, 3, 5},
    [W_OWNER] = {"SERVES", true, 5, 0},
    {NULL, false, 0, 0},
};

enum { R_ID, R_WHEN, R_WHAT, R_FUNCTION, R_SUMMARY };
static const struct table_column report_columns[] = {
    [R_ID] = {"REPORT", true, 0, 16},      [R_WHEN] = {"WHEN", true, 3, 0},
    [R_WHAT] = {"WHAT", true, 1, 0},       [R_FUNCTION] = {"FUNCTION", true, 2, 0},
    [R_SUMMARY] = {"SUMMARY", true, 4, 0}, {NULL, false, 0, 0},
};

static const struct {
    const char *title;
    const struct table_column *columns;
    size_t sort;
    bool reverse;
} views[VIEW_COUNT] = {
    [VIEW_CELLS] = {"Cells", cell_columns, C_NAME, false},
    [VIEW_METHODS] = {"Methods", method_columns, M_RATE, false},
    [VIEW_WORKERS] = {"Workers", worker_columns, W_NUMBER, false},
    [VIEW_REPORTS] = {"Reports", report_columns, R_WHEN, true},
};

const char *view_title(enum view view)
{
    return views[view].title;
}

const struct table_column *view_columns(enum view view)
{
    return views[view].columns;
}

size_t view_first_sort(enum view view, bool *ret_reverse)
{
    *ret_reverse = views[view].reverse;
    return views[view].sort;
}

/* ---- Rows -------------------------------------------------------------------------------------- */

static void set_count(struct table_row *row, size_t column, uint64_t count, enum tone tone)
{
    char text[FIGURE_BYTES];
    table_set(row, column, count > 0 ? tone : TONE_FAINT, (double)count, figure_count(count, text));
}

static void set_rate(struct table_row *row, size_t column, double rate, enum tone tone)
{
    char text[FIGURE_BYTES];
    table_set(row, column, rate > 0 ? tone : TONE_FAINT, rate, figure_rate(rate, text));
}

static void set_times(struct table_row *row, size_t p50, size_t p99,
                      const struct interval *interval)
{
    char text[FIGURE_BYTES];
    if (interval->calls > 0) {
        table_set(row, p50, TONE_PLAIN, (double)interval->p50_us,
                  figure_time(interval->p50_us, text));
        table_set(row, p99, TONE_PLAIN, (double)interval->p99_us,
                  figure_time(interval->p99_us, text));
    } else {
        table_set(row, p50, TONE_FAINT, 0, "-");
        table_set(row, p99, TONE_FAINT, 0, "-");
    }
}

static void set_last_end(struct table_row *row, const struct snapshot_cell *cell)
{
    char ago[FIGURE_BYTES];
    char text[TEXT_BYTES];
    if (*cell->last_outcome) {
        (void)snprintf(text, sizeof text, "%s %s ago in %s", cell->last_outcome,
                       figure_duration(cell->last_ago_ms, ago), cell->last_method);
        table_set(row, C_LAST, cell->last_ago_ms < 10000 ? TONE_BAD : TONE_PLAIN, 0, text);
    }
}

static void add_cell(struct table *table, const struct source *source, size_t index)
{
    const struct snapshot_cell *cell = &source->now->cells[index];
    struct interval interval = interval_of(source->before, source->now, cell, NULL);
    struct table_row *row = table_add(table, (uint32_t)index);
    char text[CELL_WORKERS_BYTES];
    char figure[FIGURE_BYTES];
    table_set(row, C_NAME, TONE_PLAIN, 0, cell->name);
    table_set(row, C_STATE, cell_state_tone(cell->state), 0, cell->state);
    table_set(row, C_WORKERS, TONE_PLAIN, (double)cell_workers_serving(cell),
              cell_workers_text(cell, text));
    set_rate(row, C_RATE, interval.calls_rate, TONE_PLAIN);
    set_times(row, C_P50, C_P99, &interval);
    set_count(row, C_FLIGHT, cell->in_flight, TONE_PLAIN);
    set_count(row, C_QUEUE, cell->queue, TONE_WARN);
    set_rate(row, C_ERRORS, interval.errors_rate, TONE_BAD);
    table_set(row, C_MEMORY, TONE_PLAIN, (double)cell->memory_bytes,
              figure_memory(cell->memory_bytes, figure));
    table_set(row, C_BREAKER, cell_breaker_tone(cell), 0, cell_breaker_text(cell, text));
    set_count(row, C_RESTARTS, cell->restarts, TONE_PLAIN);
    set_last_end(row, cell);
}

static void add_method(struct table *table, const struct source *source,
                       const struct snapshot_cell *cell, size_t index)
{
    const struct snapshot_method *method = &cell->methods[index];
    const struct snapshot_figures *figures = &method->figures;
    struct interval interval = interval_of(source->before, source->now, cell, method);
    struct table_row *row = table_add(table, (uint32_t)index);
    uint64_t refused = 0;
    for (int i = CORDON_DENIED; i < (int)SNAPSHOT_OUTCOMES; i++) {
        refused += figures->ended[i];
    }
    table_set(row, M_NAME, figures->calls > 0 ? TONE_PLAIN : TONE_FAINT, 0, method->name);
    set_rate(row, M_RATE, interval.calls_rate, TONE_PLAIN);
    if (row) { /* of those that rest, the ones that were called come first */
        row->cells[M_RATE].number += (double)figures->calls * 1e-15;
    }
    set_times(row, M_P50, M_P99, &interval);
    set_rate(row, M_ERRORS, interval.errors_rate, TONE_BAD);
    set_count(row, M_CALLS, figures->calls, TONE_PLAIN);
    set_count(row, M_CRASHED, figures->ended[CORDON_CRASHED] + figures->ended[CORDON_ABORTED],
              TONE_BAD);
    set_count(row, M_TIMEOUT, figures->ended[CORDON_TIMEOUT], TONE_BAD);
    set_count(row, M_REFUSED, refused, TONE_WARN);
    set_count(row, M_FAILED, figures->errors, TONE_BAD);
}

static void add_worker(struct table *table, const struct snapshot_cell *cell, size_t index)
{
    const struct snapshot_worker *worker = &cell->workers[index];
    struct table_row *row = table_add(table, (uint32_t)index);
    char text[TEXT_BYTES];
    char figure[FIGURE_BYTES];
    enum tone tone = worker_state_tone(worker->state);
    (void)snprintf(text, sizeof text, "%3zu", index + 1);
    table_set(row, W_NUMBER, TONE_PLAIN, 0, text);
    table_set(row, W_STATE, tone, 0, worker->state);
    if (worker->pid > 0) {
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)worker->pid);
        table_set(row, W_PID, TONE_PLAIN, (double)worker->pid, text);
        table_set(row, W_MEMORY, TONE_PLAIN, (double)worker->memory_bytes,
                  figure_memory(worker->memory_bytes, figure));
    }
    set_count(row, W_FLIGHT, worker->in_flight, TONE_PLAIN);
    (void)snprintf(text, sizeof text, "client %llu", (unsigned long long)worker->client_pid);
    table_set(row, W_OWNER, TONE_PLAIN, 0, worker->client_pid > 0 ? text : "all");
}

static void add_report(struct table *table, const struct source *source, size_t index)
{
    const struct source_report *report = &source->reports[index];
    struct table_row *row = table_add(table, (uint32_t)index);
    table_set(row, R_ID, TONE_PLAIN, 0, report->id);
    table_set(row, R_WHEN, TONE_PLAIN, 0, report->when);
    table_set(row, R_WHAT, TONE_BAD, 0, report->what);
    table_set(row, R_FUNCTION, TONE_PLAIN, 0, report->function);
    table_set(row, R_SUMMARY, TONE_PLAIN, 0, report->summary);
}

void view_fill(enum view view, const struct source *source, const char *cell, struct table *table)
{
    table_clear(table);
    const struct snapshot_cell *one =
        source->now && cell ? snapshot_find_cell(source->now, cell) : NULL;
    size_t count = view == VIEW_REPORTS                ? source->report_count
                   : view == VIEW_CELLS && source->now ? source->now->cell_count
                   : !one                              ? 0
                   : view == VIEW_METHODS              ? one->method_count
                                                       : one->worker_count;
    for (size_t i = 0; i < count; i++) {
        switch (view) {
        case VIEW_CELLS:
            add_cell(table, source, i);
            break;
        case VIEW_METHODS:
            add_method(table, source, one, i);
            break;
        case VIEW_WORKERS:
            add_worker(table, one, i);
            break;
        default:
            add_report(table, source, i);
        }
    }
}

/* ---- Lines ------------------------------------------------------------------------------------- */

/* Another word, if it fits whole. */
static void add_word(struct message *line, size_t columns, const char *label, const char *value)
{
    char word[TEXT_BYTES];
    const char *gap = line->text[0] ? "  " : "";
    (void)snprintf(word, sizeof word, "%s%s%s%s", gap, label, *label ? " " : "", value);
    if (plain_columns(line->text) + plain_columns(word) <= columns) {
        message_add(line, "%s", word);
    }
}

static void add_count(struct message *line, size_t columns, const char *label, uint64_t count)
{
    char text[FIGURE_BYTES];
    add_word(line, columns, label, figure_count(count, text));
}

void view_daemon(const struct source *source, size_t columns, struct message *ret_line)
{
    const struct snapshot *now = source->now;
    char text[TEXT_BYTES];
    char figure[FIGURE_BYTES];
    ret_line->text[0] = '\0';
    if (!now) {
        add_word(ret_line, columns, "", "cordon");
        return;
    }
    struct interval all = interval_of_all(source->before, now);
    (void)snprintf(text, sizeof text, "cordon %s", now->version);
    add_word(ret_line, columns, "", text);
    add_word(ret_line, columns, "calls/s", figure_rate(all.calls_rate, figure));
    if (all.errors_rate > 0) {
        add_word(ret_line, columns, "errors/s", figure_rate(all.errors_rate, figure));
    }
    add_count(ret_line, columns, "clients", now->clients > 0 ? now->clients - 1 : 0);
    add_word(ret_line, columns, "up", figure_duration(now->uptime_ms, figure));
    add_count(ret_line, columns, "in flight", now->in_flight > 0 ? now->in_flight - 1 : 0);
    if (now->draining > 0) {
        add_count(ret_line, columns, "draining", now->draining);
    }
    add_word(ret_line, columns, "mem", figure_memory(now->memory_bytes, figure));
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)now->pid);
    add_word(ret_line, columns, "pid", text);
}

void view_cell(const struct source *source, const char *cell, size_t columns,
               struct message *ret_line)
{
    const struct snapshot_cell *one = source->now ? snapshot_find_cell(source->now, cell) : NULL;
    char text[CELL_WORKERS_BYTES];
    ret_line->text[0] = '\0';
    if (!one) {
        return;
    }
    add_word(ret_line, columns, "", one->state);
    add_word(ret_line, columns, "breaker", cell_breaker_text(one, text));
    add_count(ret_line, columns, "restarts", one->restarts);
    add_count(ret_line, columns, "queue", one->queue);
    if (*one->last_report) {
        add_word(ret_line, columns, "report", one->last_report);
    }
    add_count(ret_line, columns, "crashes", one->crashes);
    add_count(ret_line, columns, "timeouts", one->timeouts);
    add_count(ret_line, columns, "recycled", one->recycled);
    add_count(ret_line, columns, "generation", one->generation);
    add_word(ret_line, columns, "level", one->level);
    add_word(ret_line, columns, "", one->library);
}
