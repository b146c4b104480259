/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/plain.h"

#define FIRST_WIDTH_MIN 8u
#define LAST_WIDTH_MIN  24u
#define ROWS_FIRST      32u

void table_init(struct table *table, const struct table_column *columns)
{
    *table = (struct table){.columns = columns};
    while (columns[table->column_count].title) {
        table->column_count++;
    }
}

void table_deinit(struct table *table)
{
    free(table->rows);
    *table = (struct table){0};
}

void table_clear(struct table *table)
{
    table->row_count = 0;
    table->failed = false;
}

struct table_row *table_add(struct table *table, uint32_t key)
{
    if (table->row_count == table->row_room) {
        size_t room = table->row_room == 0 ? ROWS_FIRST : 2 * table->row_room;
        struct table_row *larger = reallocarray(table->rows, room, sizeof *larger);
        if (!larger) {
            table->failed = true;
            return NULL;
        }
        table->rows = larger;
        table->row_room = room;
    }
    struct table_row *row = &table->rows[table->row_count++];
    memset(row, 0, sizeof *row);
    row->key = key;
    return row;
}

void table_set(struct table_row *row, size_t column, enum tone tone, double number,
               const char *text)
{
    if (row) {
        struct table_cell *cell = &row->cells[column];
        (void)plain_copy(cell->text, sizeof cell->text, text, strlen(text));
        cell->tone = tone;
        cell->number = number;
    }
}

/* ---- Order ------------------------------------------------------------------------------------- */

struct order {
    const struct table *table;
    size_t column;
    bool reverse;
};

static int compare(const void *left, const void *right, void *context)
{
    const struct order *order = context;
    const struct table_row *a = left;
    const struct table_row *b = right;
    const struct table_cell *x = &a->cells[order->column];
    const struct table_cell *y = &b->cells[order->column];
    int way = order->table->columns[order->column].is_text
                  ? strcmp(x->text, y->text)
                  : (x->number < y->number) - (x->number > y->number);
    way = order->reverse ? -way : way;
    way = way != 0 ? way : strcmp(a->cells[0].text, b->cells[0].text);
    return way != 0 ? way : (a->key > b->key) - (a->key < b->key);
}

void table_sort(struct table *table, size_t column, bool reverse)
{
    struct order order = {.table = table, .column = column, .reverse = reverse};
    if (table->row_count > 1) {
        qsort_r(table->rows, table->row_count, sizeof *table->rows, compare, &order);
    }
}

/* ---- Room -------------------------------------------------------------------------------------- */

static size_t width_of(const struct table *table, size_t column)
{
    size_t width = plain_columns(table->columns[column].title);
    width = width < table->columns[column].least ? table->columns[column].least : width;
    for (size_t i = 0; i < table->row_count; i++) {
        size_t wanted = plain_columns(table->rows[i].cells[column].text);
        width = wanted > width ? wanted : width;
    }
    return width;
}

static size_t total_of(const size_t *widths, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += widths[i] > 0 ? widths[i] + (total > 0) : 0;
    }
    return total;
}

/* The column that may go first; 0: none may. */
static size_t least_important(const struct table *table, const size_t *widths)
{
    size_t least = 0;
    for (size_t i = 1; i < table->column_count; i++) {
        if (widths[i] > 0 && table->columns[i].rank > table->columns[least].rank) {
            least = i;
        }
    }
    return least;
}

/* A text at the end may be cut before other columns go, and takes what room they leave. */
static size_t least_of_last(const struct table *table, size_t natural)
{
    size_t least = plain_columns(table->columns[table->column_count - 1].title);
    least = least < LAST_WIDTH_MIN ? LAST_WIDTH_MIN : least;
    return least < natural ? least : natural;
}

void table_layout(const struct table *table, size_t width, size_t ret_widths[TABLE_COLUMNS_MAX])
{
    size_t count = table->column_count;
    size_t last = count - 1;
    for (size_t i = 0; i < count; i++) {
        ret_widths[i] = width_of(table, i);
    }
    size_t natural = ret_widths[last];
    if (last > 0 && table->columns[last].is_text) {
        ret_widths[last] = least_of_last(table, natural);
    }
    size_t least;
    while (total_of(ret_widths, count) > width &&
           (least = least_important(table, ret_widths)) != 0) {
        ret_widths[least] = 0;
    }
    size_t total = total_of(ret_widths, count);
    if (total > width) {
        size_t over = total - width;
        size_t spare = ret_widths[0] > FIRST_WIDTH_MIN ? ret_widths[0] - FIRST_WIDTH_MIN : 0;
        ret_widths[0] -= over < spare ? over : spare;
    } else if (last > 0 && ret_widths[last] > 0) {
        size_t more = natural - ret_widths[last];
        ret_widths[last] += more < width - total ? more : width - total;
    }
}

const char *table_cell_text(const struct table *table, const struct table_row *row, size_t column,
                            size_t width, char *text, size_t room)
{
    const char *whole = row ? row->cells[column].text : table->columns[column].title;
    size_t columns = plain_columns(whole);
    bool is_cut = columns > width;
    const char *mark = !is_cut || width < 2 ? "" : plain_is_utf8() ? "\u2026" : "~";
    size_t bytes = plain_fitting(whole, is_cut && *mark ? width - 1 : width);
    char kept[TABLE_TEXT_BYTES + 8];
    (void)snprintf(kept, sizeof kept, "%.*s%s", (int)bytes, whole, mark);
    size_t used = plain_columns(kept);
    int spaces = used < width ? (int)(width - used) : 0;
    bool left = table->columns[column].is_text;
    (void)snprintf(text, room, "%*s%s%*s", left ? 0 : spaces, "", kept, left ? spaces : 0, "");
    return text;
}

/* ---- Print ------------------------------------------------------------------------------------- */

size_t table_terminal_width(void)
{
    struct winsize size;
    if (!output_is_terminal()) {
        return SIZE_MAX;
    }
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static int print_row(const struct table *table, const struct table_row *row, const size_t *widths)
{
    static const char *const codes[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[2m"};
    bool colours = output_has_colours();
    const char *before = "";
    char line[TABLE_COLUMNS_MAX * (TABLE_TEXT_BYTES + 32)];
    size_t used = 0;
    size_t behind = 0; /* of the line, without the padding at its end */
    for (size_t i = 0; i < table->column_count; i++) {
        char text[512];
        if (widths[i] == 0) {
            continue;
        }
        enum tone tone = row ? row->cells[i].tone : TONE_PLAIN;
        const char *code = !row ? "\033[1m" : codes[tone];
        bool painted = colours && *code;
        used += (size_t)snprintf(
            line + used, sizeof line - used, "%s%s%s%s", before, painted ? code : "",
            table_cell_text(table, row, i, widths[i], text, sizeof text), painted ? "\033[0m" : "");
        before = " ";
        const char *whole = row ? row->cells[i].text : table->columns[i].title;
        behind = *whole ? used : behind;
    }
    if (!colours) {
        while (behind > 0 && line[behind - 1] == ' ') {
            behind--;
        }
    }
    return output_format("%.*s\n", (int)behind, line);
}

int table_print(const struct table *table)
{
    size_t widths[TABLE_COLUMNS_MAX];
    table_layout(table, table_terminal_width(), widths);
    int r = print_row(table, NULL, widths);
    for (size_t i = 0; i < table->row_count && r == EXIT_DONE; i++) {
        r = print_row(table, &table->rows[i], widths);
    }
    return r == EXIT_DONE && table->failed ? command_fail(EXIT_COULD_NOT, "not enough memory") : r;
}
