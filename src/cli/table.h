/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

/*
 * Table: rows of short texts under titles, as wide as there is room: the least important columns give way first, then
 * the first column is cut. Text is made plain when it is set.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_COLUMNS_MAX 16u
#define TABLE_TEXT_BYTES  128u

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_FAINT };

struct table_column {
    const char *title; /* NULL ends a list of them */
    bool is_text;   /* stands left, sorted from A; else numbers, right, sorted from the largest */
    uint32_t rank;  /* 0: always there; the largest is the first to go */
    uint32_t least; /* as wide at least, so that it does not move with every number */
};

struct table_cell {
    char text[TABLE_TEXT_BYTES];
    double number; /* what it is sorted by */
    enum tone tone;
};

struct table_row {
    uint32_t key; /* of whoever made it */
    struct table_cell cells[TABLE_COLUMNS_MAX];
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    struct table_row *rows;
    size_t row_count;
    size_t row_room;
    bool failed; /* no memory: rows are missing */
};

/* @columns: borrowed. */
void table_init(struct table *table, const struct table_column *columns);
void table_deinit(struct table *table);
void table_clear(struct table *table);

/* A row of empty cells; NULL: no memory. */
struct table_row *table_add(struct table *table, uint32_t key);
/* A cell's text; @number is what it is sorted by. A row of NULL is fine. */
void table_set(struct table_row *row, size_t column, enum tone tone, double number,
               const char *text);

/* By @column, in its natural order, or the other way round; equal ones by the first column. */
void table_sort(struct table *table, size_t column, bool reverse);

/* How wide each column is in so many columns of a terminal; 0: it is left out. One space stands between two. */
void table_layout(const struct table *table, size_t width, size_t ret_widths[TABLE_COLUMNS_MAX]);

/* A cell, or with @row NULL a title, as it stands in @width columns, padded. Returns @text. */
const char *table_cell_text(const struct table *table, const struct table_row *row, size_t column,
                            size_t width, char *text, size_t room);

/* To standard output, titles in bold and tones in colours where there are any. Returns an enum command_exit. */
int table_print(const struct table *table);

/* Columns of the terminal at standard output; SIZE_MAX: it is none. */
size_t table_terminal_width(void);

#endif
