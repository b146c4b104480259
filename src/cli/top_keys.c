/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_keys.h"

#include <ncurses.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define KEY_ESCAPE      27
#define INTERVAL_MIN_NS (100 * CLOCK_MS_NS)
#define INTERVAL_MAX_NS (60 * CLOCK_SECOND_NS)

void screen_fill(struct screen *screen)
{
    const struct sorting *sorting = &screen->sorting[screen->view];
    struct table *table = &screen->table;
    if (!table->columns || screen->filled != screen->view) {
        table_deinit(table);
        table_init(table, view_columns(screen->view));
        screen->filled = screen->view;
    }
    view_fill(screen->view, screen->source, screen->cell, table);
    table_sort(table, sorting->column, sorting->reverse);
    for (size_t i = 0; i < table->row_count; i++) {
        if (strcmp(table->rows[i].cells[0].text, screen->choice) == 0) {
            screen->chosen = i;
            return;
        }
    }
    /* It is gone: whoever stands at its place now. */
    if (screen->chosen >= table->row_count) {
        screen->chosen = table->row_count > 0 ? table->row_count - 1 : 0;
    }
}

static void choose(struct screen *screen, size_t row)
{
    size_t count = screen->table.row_count;
    screen->chosen = row < count ? row : count > 0 ? count - 1 : 0;
    if (count > 0) {
        (void)snprintf(screen->choice, sizeof screen->choice, "%s",
                       screen->table.rows[screen->chosen].cells[0].text);
    }
}

/* Another view: nothing is chosen there yet but, coming back, the cell. */
static void show(struct screen *screen, enum view view)
{
    if (screen->view == VIEW_CELLS) {
        memcpy(screen->cell_choice, screen->choice, sizeof screen->choice);
    }
    screen->view = view;
    screen->chosen = screen->top = 0;
    screen->choice[0] = '\0';
    if (view == VIEW_CELLS) {
        memcpy(screen->choice, screen->cell_choice, sizeof screen->choice);
    }
    source_want_reports(screen->source, view == VIEW_REPORTS ? screen->cell : NULL);
    screen_fill(screen);
}

static void open_chosen(struct screen *screen)
{
    if (screen->view == VIEW_CELLS && screen->table.row_count > 0) {
        choose(screen, screen->chosen);
        (void)snprintf(screen->cell, sizeof screen->cell, "%s",
                       screen->source->now->cells[screen->table.rows[screen->chosen].key].name);
        show(screen, VIEW_METHODS);
    } else if (screen->view == VIEW_METHODS || screen->view == VIEW_WORKERS) {
        show(screen, screen->view + 1);
    } else if (screen->view == VIEW_REPORTS && screen->table.row_count > 0) {
        choose(screen, screen->chosen);
        screen->report = screen->source->reports[screen->table.rows[screen->chosen].key];
        screen->cover = COVER_REPORT;
    }
}

static void go_back(struct screen *screen)
{
    if (screen->view != VIEW_CELLS) {
        show(screen, screen->view - 1);
    }
}

static void next_panel(struct screen *screen, int step)
{
    enum view view = (enum view)((int)screen->view + step);
    if (screen->view != VIEW_CELLS) {
        show(screen, view > VIEW_REPORTS   ? VIEW_METHODS
                     : view < VIEW_METHODS ? VIEW_REPORTS
                                           : view);
    }
}

/* To the next column that is shown, round and round. */
static void sort_by_next(struct screen *screen, size_t step)
{
    struct sorting *sorting = &screen->sorting[screen->view];
    size_t widths[TABLE_COLUMNS_MAX];
    size_t count = screen->table.column_count;
    table_layout(&screen->table, (size_t)COLS, widths);
    do {
        sorting->column = (sorting->column + step) % count;
    } while (widths[sorting->column] == 0);
    sorting->reverse = false;
}

static void change_interval(struct screen *screen, bool shorter)
{
    struct source *source = screen->source;
    uint64_t interval_ns = shorter ? source->interval_ns / 2 : source->interval_ns * 2;
    if (interval_ns >= INTERVAL_MIN_NS && interval_ns <= INTERVAL_MAX_NS) {
        source->interval_ns = interval_ns;
        source->next_ns = clock_now_ns();
    }
}

static bool take_move(struct screen *screen, int key)
{
    size_t page = screen->page > 1 ? screen->page - 1 : 1;
    switch (key) {
    case KEY_UP:
    case 'k':
        choose(screen, screen->chosen > 0 ? screen->chosen - 1 : 0);
        return true;
    case KEY_DOWN:
    case 'j':
        choose(screen, screen->chosen + 1);
        return true;
    case KEY_PPAGE:
        choose(screen, screen->chosen > page ? screen->chosen - page : 0);
        return true;
    case KEY_NPAGE:
        choose(screen, screen->chosen + page);
        return true;
    case KEY_HOME:
    case 'g':
        choose(screen, 0);
        return true;
    case KEY_END:
    case 'G':
        choose(screen, SIZE_MAX);
        return true;
    default:
        return false;
    }
}

static bool take_place(struct screen *screen, int key)
{
    switch (key) {
    case '\r':
    case '\n':
    case KEY_ENTER:
    case KEY_RIGHT:
    case 'l':
        open_chosen(screen);
        return true;
    case KEY_ESCAPE:
    case KEY_BACKSPACE:
    case KEY_LEFT:
    case 127:
    case '\b':
        go_back(screen);
        return true;
    case '\t':
        next_panel(screen, 1);
        return true;
    case KEY_BTAB:
        next_panel(screen, -1);
        return true;
    default:
        return false;
    }
}

static void take_command(struct screen *screen, int key)
{
    struct sorting *sorting = &screen->sorting[screen->view];
    switch (key) {
    case 's':
    case '>':
        sort_by_next(screen, 1);
        break;
    case 'S':
    case '<':
        sort_by_next(screen, screen->table.column_count - 1);
        break;
    case 'r':
        sorting->reverse = !sorting->reverse;
        break;
    case '+':
        change_interval(screen, true);
        break;
    case '-':
        change_interval(screen, false);
        break;
    case 'p':
    case ' ':
        screen->paused = !screen->paused;
        break;
    case '?':
    case 'h':
        screen->cover = COVER_HELP;
        break;
    case 'q':
        screen->quit = true;
        break;
    default:
        break;
    }
}

void keys_take(struct screen *screen, int key)
{
    if (key == KEY_RESIZE) {
        return; /* drawn anew anyway */
    }
    if (screen->cover != COVER_NONE) {
        screen->quit = key == 'q';
        screen->cover = COVER_NONE;
        return;
    }
    screen_fill(screen); /* there may be news: rows are what the source knows now */
    if (!take_move(screen, key) && !take_place(screen, key)) {
        take_command(screen, key);
    }
    screen_fill(screen);
}
