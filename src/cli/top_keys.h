/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TOP_KEYS_H
#define CLI_TOP_KEYS_H

/* Keys: where a person is in `cordon top`, and where a key leads. */

#include <stdbool.h>
#include <stdint.h>

#include "cli/table.h"
#include "cli/top_source.h"
#include "cli/top_view.h"

struct sorting {
    size_t column;
    bool reverse;
};

struct screen {
    struct source *source;
    enum view view;
    enum { COVER_NONE, COVER_HELP, COVER_REPORT } cover;
    char cell[SNAPSHOT_NAME];    /* whose methods, workers, reports are shown */
    struct source_report report; /* the one that covers the screen */
    struct sorting sorting[VIEW_COUNT];
    struct table table; /* the view's rows, sorted */
    enum view filled;   /* whose rows they are */
    char choice
        [TABLE_TEXT_BYTES]; /* the chosen row's first cell: it stays chosen wherever it moves */
    char cell_choice[TABLE_TEXT_BYTES]; /* ... among the cells, to come back to */
    size_t chosen;
    size_t top;  /* the first row that is drawn */
    size_t page; /* rows that fit */
    bool paused;
    bool quit;
    bool colours;
    uint64_t drawn_ns;
};

/* Fill the table with what the source knows now, and find the chosen row again. */
void screen_fill(struct screen *screen);

/* A key, as ncurses numbers them. */
void keys_take(struct screen *screen, int key);

#endif
