/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

/* View: what `cordon top` shows, as lines and tables; where and how they are drawn is another matter. */

#include "cli/table.h"
#include "cli/top_source.h"

enum view {
    VIEW_CELLS,
    VIEW_METHODS, /* of one cell, as the others below */
    VIEW_WORKERS,
    VIEW_REPORTS,
    VIEW_COUNT,
};

/* "Cells", "Methods", ... */
const char *view_title(enum view view);
const struct table_column *view_columns(enum view view);
/* The column that it is sorted by at first, and which way round. */
size_t view_first_sort(enum view view, bool *ret_reverse);

/* Fill @table anew, of view_columns(). The first cell of a row names it. @cell: its name; not for VIEW_CELLS. */
void view_fill(enum view view, const struct source *source, const char *cell, struct table *table);

/* The daemon in one line: the most important first, in as many words as fit into @columns. */
void view_daemon(const struct source *source, size_t columns, struct message *ret_line);
/* How the cell does, likewise; "": there is no such cell any more. */
void view_cell(const struct source *source, const char *cell, size_t columns,
               struct message *ret_line);

#endif
