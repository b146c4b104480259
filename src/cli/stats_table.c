/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stats_table.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/figures.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cordon/outcome.h"

enum { NAME, CALLS, RATE, P50, P99, FIRST_OUTCOME };

/* What calls can come to beside done, as the daemon names it; the last are failures of its own. */
#define OUTCOMES 8u
static const struct table_column outcome_columns[OUTCOMES] = {
    {"CRASHED", false, 2, 0}, {"TIMEOUT", false, 3, 0}, {"ABORTED", false, 4, 0},
    {"DENIED", false, 5, 0},  {"BUSY", false, 6, 0},    {"STALE", false, 7, 0},
    {"OPEN", false, 8, 0},    {"FAILED", false, 9, 0},
};

struct pass {
    const struct snapshot *before;
    const struct snapshot *now;
    const char *only;
    bool all;
    struct table_column columns[TABLE_COLUMNS_MAX];
    size_t outcomes[OUTCOMES]; /* which are shown, and how many */
    size_t outcome_count;
    struct table table;
    size_t hidden;
};

static uint64_t outcome_of(const struct snapshot_figures *figures, size_t outcome)
{
    return outcome + 1 < SNAPSHOT_OUTCOMES ? figures->ended[outcome + 1] : figures->errors;
}

/* Columns only for what happened. */
static void choose_columns(struct pass *pass)
{
    static const struct table_column fixed[FIRST_OUTCOME] = {
        [NAME] = {"METHOD", true, 0, 0},    [CALLS] = {"CALLS", false, 0, 0},
        [RATE] = {"CALLS/S", false, 10, 0}, [P50] = {"P50", false, 11, 0},
        [P99] = {"P99", false, 1, 0},
    };
    memcpy(pass->columns, fixed, sizeof fixed);
    for (size_t outcome = 0; outcome < OUTCOMES; outcome++) {
        uint64_t count = 0;
        for (size_t i = 0; i < pass->now->cell_count && count == 0; i++) {
            const struct snapshot_cell *cell = &pass->now->cells[i];
            bool wanted = !pass->only || strcmp(cell->name, pass->only) == 0;
            count = wanted ? outcome_of(&cell->figures, outcome) : 0;
        }
        if (count > 0) {
            pass->columns[FIRST_OUTCOME + pass->outcome_count] = outcome_columns[outcome];
            pass->outcomes[pass->outcome_count++] = outcome;
        }
    }
}

static void add_method(struct pass *pass, const struct snapshot_cell *cell,
                       const struct snapshot_method *method)
{
    char text[2 * SNAPSHOT_NAME];
    char figure[FIGURE_BYTES];
    const struct snapshot_figures *figures = &method->figures;
    struct interval interval = interval_of(pass->before, pass->now, cell, method);
    if (interval.calls == 0 && !pass->all) {
        pass->hidden++;
        return;
    }
    struct table_row *row = table_add(&pass->table, 0);
    (void)snprintf(text, sizeof text, "%s%s%s", pass->only ? "" : cell->name, pass->only ? "" : ".",
                   method->name);
    table_set(row, NAME, TONE_PLAIN, 0, text);
    table_set(row, CALLS, TONE_PLAIN, (double)figures->calls, figure_count(figures->calls, figure));
    table_set(row, RATE, TONE_PLAIN, interval.calls_rate, figure_rate(interval.calls_rate, figure));
    if (interval.calls > 0) {
        table_set(row, P50, TONE_PLAIN, (double)interval.p50_us,
                  figure_time(interval.p50_us, figure));
        table_set(row, P99, TONE_PLAIN, (double)interval.p99_us,
                  figure_time(interval.p99_us, figure));
    }
    for (size_t i = 0; i < pass->outcome_count; i++) {
        uint64_t count = outcome_of(figures, pass->outcomes[i]);
        table_set(row, FIRST_OUTCOME + i, count > 0 ? TONE_BAD : TONE_FAINT, (double)count,
                  figure_count(count, figure));
    }
}

int stats_table_print(const struct snapshot *before, const struct snapshot *now, const char *cell,
                      bool all)
{
    struct pass pass = {.before = before, .now = now, .only = cell, .all = all};
    choose_columns(&pass);
    table_init(&pass.table, pass.columns);
    for (size_t i = 0; i < now->cell_count; i++) {
        const struct snapshot_cell *one = &now->cells[i];
        for (size_t j = 0; j < one->method_count && (!cell || strcmp(one->name, cell) == 0); j++) {
            add_method(&pass, one, &one->methods[j]);
        }
    }
    table_sort(&pass.table, CALLS, false);
    int r = table_print(&pass.table);
    if (r == EXIT_DONE && pass.hidden > 0 && output_is_terminal()) {
        r = output_format("%zu methods without a call%s\n", pass.hidden,
                          before ? " in this time" : "; --all shows them");
    }
    table_deinit(&pass.table);
    return r;
}
