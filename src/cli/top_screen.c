/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_screen.h"

#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/figures.h"
#include "cli/output.h"
#include "cli/plain.h"
#include "cli/top_ink.h"
#include "cli/top_keys.h"
#include "cli/top_view.h"

#define ESCAPE_MS    25 /* a key's bytes come together; a lone Escape need not wait longer */
#define REDRAW_NS    CLOCK_SECOND_NS /* times that pass are drawn anew, whether there is news or not */
#define HEAD_LINES   4
#define PANELS_WIDTH 28 /* " Methods  Workers  Reports ", and a space */
#define LINE_BYTES   1024u
#define WORD_BYTES   512u

static volatile sig_atomic_t asked_to_leave;

static void on_leave(int number)
{
    (void)number;
    asked_to_leave = 1;
}

/* ---- Head and foot ----------------------------------------------------------------------------- */

static void draw_daemon(const struct screen *screen)
{
    struct message line;
    view_daemon(screen->source, (size_t)COLS, &line);
    (void)ink_put(0, 0, A_BOLD, line.text);
}

/* What is wrong, or else where the daemon is and how often it is asked. */
static void draw_state(const struct screen *screen)
{
    const struct source *source = screen->source;
    char text[LINE_BYTES];
    char age[FIGURE_BYTES];
    if (source->trouble_ns != 0) {
        uint64_t ms = (clock_now_ns() - source->trouble_ns) / CLOCK_MS_NS;
        int behind = 0;
        if (source->now) {
            (void)snprintf(text, sizeof text, "gone for %s: ", figure_duration(ms, age));
            behind = ink_put(1, 0, ink_of(screen->colours, TONE_BAD) | A_BOLD, text);
        }
        (void)ink_put(1, behind, ink_of(screen->colours, TONE_BAD), source->trouble.text);
        return;
    }
    int column =
        screen->paused ? ink_put(1, 0, ink_of(screen->colours, TONE_WARN) | A_BOLD, "PAUSED  ") : 0;
    if (source->restarts > 0) {
        (void)snprintf(text, sizeof text, "daemon restarted %llu times  ",
                       (unsigned long long)source->restarts);
        column = ink_put(1, column, ink_of(screen->colours, TONE_WARN),
                         source->restarts == 1 ? "daemon restarted  " : text);
    }
    (void)snprintf(text, sizeof text, "%s  every %s", source->dialogue.path,
                   figure_time(source->interval_ns / 1000, age));
    (void)ink_put(1, column, A_DIM, source->now ? text : "asking the daemon");
}

/* "zlib   Methods  Workers  Reports ", the one that is shown in reverse, and how the cell does. */
static void draw_place(const struct screen *screen)
{
    struct message line;
    char name[SNAPSHOT_NAME + 8];
    if (screen->view == VIEW_CELLS) {
        return;
    }
    size_t name_room = COLS > PANELS_WIDTH + 8 ? (size_t)(COLS - PANELS_WIDTH) : 8;
    (void)snprintf(name, sizeof name, "%.*s", (int)plain_fitting(screen->cell, name_room),
                   screen->cell);
    int column = ink_put(2, 0, A_BOLD, name) + 1;
    for (enum view view = VIEW_METHODS; view < VIEW_COUNT; view++) {
        char text[32];
        (void)snprintf(text, sizeof text, " %s ", view_title(view));
        column = ink_put(2, column, view == screen->view ? A_REVERSE : A_NORMAL, text);
    }
    column++;
    size_t room = COLS > column ? (size_t)(COLS - column) : 0;
    view_cell(screen->source, screen->cell, room, &line);
    bool known = screen->source->now && snapshot_find_cell(screen->source->now, screen->cell);
    (void)ink_put(2, column, known ? A_NORMAL : ink_of(screen->colours, TONE_BAD),
                  known ? line.text : "gone");
}

static void draw_foot(const struct screen *screen)
{
    static const char *const wide[2] = {
        "Enter open  s/S sort  r reverse  p pause  ? help  q quit",
        "Enter deeper  Esc back  Tab next  s/S sort  r reverse  p pause  ? help  q quit"};
    static const char *const narrow[2] = {"Enter open  ? help  q quit",
                                          "Esc back  Tab next  ? help  q quit"};
    bool deeper = screen->view != VIEW_CELLS;
    const char *text = wide[deeper];
    ink_fill_line(LINES - 1, A_REVERSE);
    (void)ink_put(LINES - 1, 0, A_REVERSE,
                  plain_columns(text) <= (size_t)COLS ? text : narrow[deeper]);
}

/* ---- Table ------------------------------------------------------------------------------------- */

static void draw_titles(const struct screen *screen, const size_t *widths)
{
    int column = 0;
    int line = HEAD_LINES - 1;
    const struct table *table = &screen->table;
    const struct sorting *sorting = &screen->sorting[screen->view];
    ink_fill_line(line, A_UNDERLINE);
    for (size_t i = 0; i < table->column_count; i++) {
        char text[WORD_BYTES];
        if (widths[i] == 0) {
            continue;
        }
        chtype look = A_UNDERLINE | A_BOLD;
        look |= i == sorting->column ? A_REVERSE : 0;
        column = ink_put(line, column, look,
                         table_cell_text(table, NULL, i, widths[i], text, sizeof text)) +
                 1;
    }
}

static void draw_row(const struct screen *screen, const size_t *widths, size_t index, int line)
{
    const struct table *table = &screen->table;
    const struct table_row *row = &table->rows[index];
    bool chosen = index == screen->chosen;
    int column = 0;
    if (chosen) {
        ink_fill_line(line, A_REVERSE);
    }
    for (size_t i = 0; i < table->column_count; i++) {
        char text[WORD_BYTES];
        if (widths[i] == 0) {
            continue;
        }
        chtype look = chosen ? A_REVERSE : ink_of(screen->colours, row->cells[i].tone);
        column = ink_put(line, column, look,
                         table_cell_text(table, row, i, widths[i], text, sizeof text)) +
                 1;
    }
}

static const char *nothing_text(const struct screen *screen)
{
    const struct source *source = screen->source;
    if (!source->now) {
        return "";
    }
    switch (screen->view) {
    case VIEW_CELLS:
        return "no cells";
    case VIEW_METHODS:
        return "no methods";
    case VIEW_WORKERS:
        return "no workers";
    default:
        return *source->reports_trouble.text ? source->reports_trouble.text
               : source->reports_known       ? "no reports of this cell"
                                             : "reading reports";
    }
}

static void draw_table(struct screen *screen)
{
    size_t widths[TABLE_COLUMNS_MAX];
    int room = LINES - HEAD_LINES - 1;
    size_t rows = room > 0 ? (size_t)room : 0;
    table_layout(&screen->table, (size_t)COLS, widths);
    draw_titles(screen, widths);
    if (screen->chosen < screen->top) {
        screen->top = screen->chosen;
    } else if (rows > 0 && screen->chosen >= screen->top + rows) {
        screen->top = screen->chosen - rows + 1;
    }
    if (screen->table.row_count <= rows) {
        screen->top = 0;
    }
    screen->page = rows;
    for (size_t i = 0; i < rows && screen->top + i < screen->table.row_count; i++) {
        draw_row(screen, widths, screen->top + i, HEAD_LINES + (int)i);
    }
    if (screen->table.row_count == 0) {
        (void)ink_put(HEAD_LINES, 0, A_DIM, nothing_text(screen));
    }
}

/* ---- Help and one report ----------------------------------------------------------------------- */

static void draw_way_back(void)
{
    ink_fill_line(LINES - 1, A_REVERSE);
    (void)ink_put(LINES - 1, 0, A_REVERSE, "any key goes back");
}

static void draw_help(void)
{
    (void)ink_put_wrapped(0,
                          "Up Down PgUp PgDn   choose a line\n"
                          "Enter   open: methods, workers,\n"
                          "        reports\n"
                          "Esc     back\n"
                          "Tab     the next of these\n"
                          "s S     sort by the next column,\n"
                          "        by the one before\n"
                          "r       the other way round\n"
                          "+ -     ask more, less often\n"
                          "p       pause, and go on\n"
                          "q       quit\n"
                          "\n"
                          "CALLS/S, ERR/S, P50 and P99 are of the last interval, the first ones "
                          "since the daemon's start. WORKERS 2/5+1: two of the five that all share "
                          "serve, and one is a client's own. RESTARTS: workers in the place of "
                          "ended ones.");
    draw_way_back();
}

static void draw_report(const struct screen *screen)
{
    struct message text;
    const struct source_report *report = &screen->report;
    (void)message_set(&text, 0,
                      "Report %s\n\nwhen      %s\nwhat      %s\nfunction  %s\n\n%s\n\nAll of it, "
                      "with stacks and registers:\n  cordon report %s\n",
                      report->id, report->when, report->what, report->function, report->summary,
                      report->id);
    (void)ink_put_wrapped(0, text.text);
    draw_way_back();
}

/* ---- All of it --------------------------------------------------------------------------------- */

static void draw(struct screen *screen)
{
    (void)erase();
    if (screen->cover == COVER_HELP) {
        draw_help();
    } else if (screen->cover == COVER_REPORT) {
        draw_report(screen);
    } else {
        draw_daemon(screen);
        draw_state(screen);
        draw_place(screen);
        draw_table(screen);
        draw_foot(screen);
    }
    (void)refresh();
}

/* Wait for a key, news, or the time to look again. */
static void await(const struct screen *screen)
{
    struct pollfd polls[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                              {.fd = source_fd(screen->source), .events = POLLIN}};
    uint64_t now_ns = clock_now_ns();
    uint64_t until_ns = screen->drawn_ns + REDRAW_NS;
    uint64_t due_ns = source_due_ns(screen->source);
    if (!screen->paused && due_ns < until_ns) {
        until_ns = due_ns;
    }
    if (screen->paused) {
        polls[1].fd = -1;
    }
    struct timespec left = clock_timespec(until_ns > now_ns ? until_ns - now_ns : 0);
    sigset_t all_come;
    (void)sigemptyset(&all_come);
    if (!asked_to_leave && ppoll(polls, 2, &left, &all_come) > 0 &&
        (polls[0].revents & (POLLHUP | POLLERR)) != 0) {
        asked_to_leave = 1; /* the terminal is gone */
    }
}

static void live(struct screen *screen)
{
    while (!screen->quit && !asked_to_leave) {
        int key;
        bool news = !screen->paused && source_turn(screen->source);
        while ((key = getch()) != ERR && !screen->quit) {
            keys_take(screen, key);
            news = true;
        }
        if (news || clock_now_ns() - screen->drawn_ns >= REDRAW_NS) {
            screen_fill(screen);
            draw(screen);
            screen->drawn_ns = clock_now_ns();
        }
        if (!screen->quit) {
            await(screen);
        }
    }
}

/* They come while ppoll() waits, and nowhere else. */
static void watch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_leave};
    sigset_t held;
    (void)sigemptyset(&held);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaction(numbers[i], &action, NULL);
        (void)sigaddset(&held, numbers[i]);
    }
    (void)sigaddset(&held, SIGWINCH);
    (void)sigprocmask(SIG_BLOCK, &held, NULL);
}

int screen_run(struct source *source)
{
    struct screen *screen = calloc(1, sizeof *screen);
    SCREEN *terminal = screen ? newterm(NULL, stdout, stdin) : NULL;
    if (!terminal) {
        const char *name = getenv("TERM");
        free(screen);
        return command_fail(EXIT_COULD_NOT,
                            "cannot draw on this terminal (TERM is '%s'): try --once",
                            name ? name : "");
    }
    screen->source = source;
    for (enum view view = 0; view < VIEW_COUNT; view++) {
        screen->sorting[view].column = view_first_sort(view, &screen->sorting[view].reverse);
    }
    watch_signals();
    (void)set_escdelay(ESCAPE_MS);
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)curs_set(0);
    screen->colours = ink_start();
    screen_fill(screen);
    live(screen);
    (void)endwin();
    delscreen(terminal);
    table_deinit(&screen->table);
    free(screen);
    return EXIT_DONE;
}
