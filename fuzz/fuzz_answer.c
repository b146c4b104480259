/* SPDX-License-Identifier: Apache-2.0 */
/* Aims at dialogue_judge(), snapshot_take(), interval_of(), view_fill() and plain_filter(): a daemon's answers. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/dialogue.h"
#include "cli/plain.h"
#include "cli/top_view.h"
#include "json/json_out.h"

/*
 * Two answers of a daemon, parted by a line end: the statistics of one moment and of the next, which `cordon top`
 * shows in each of its views.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct snapshot *take(const char *text, size_t length)
{
    static struct document document;
    struct dialogue_answer answer;
    struct snapshot *snapshot = NULL;
    struct json_value root;
    struct message why;
    if (document_parse(&document, text, length, length, DIALOGUE_NESTING, &root, &why) != 0 ||
        dialogue_judge(root, &answer, &why) != 0 || answer.code != 0) {
        return NULL;
    }
    return snapshot_take(answer.result, &snapshot, &why) == 0 ? snapshot : NULL;
}

static void assert_plain(const char *text)
{
    char copy[2048];
    size_t length = strlen(text);
    assert(length < sizeof copy);
    memcpy(copy, text, length);
    plain_filter(copy, length);
    assert(memcmp(copy, text, length) == 0);
    assert(!strpbrk(text, "\n\t"));
}

static void show(struct source *source, const char *cell, size_t columns)
{
    struct message line;
    view_daemon(source, columns, &line);
    assert_plain(line.text);
    assert(plain_columns(line.text) <= columns);
    for (enum view view = 0; view < VIEW_COUNT; view++) {
        size_t widths[TABLE_COLUMNS_MAX];
        char text[512];
        struct table table;
        table_init(&table, view_columns(view));
        view_fill(view, source, cell, &table);
        table_sort(&table, columns % table.column_count, columns & 1);
        table_layout(&table, columns, widths);
        for (size_t i = 0; i < table.row_count; i++) {
            for (size_t j = 0; j < table.column_count; j++) {
                assert_plain(table.rows[i].cells[j].text);
                const char *shown =
                    table_cell_text(&table, &table.rows[i], j, widths[j], text, sizeof text);
                assert(plain_columns(shown) == widths[j]);
            }
        }
        table_deinit(&table);
    }
    if (cell) {
        view_cell(source, cell, columns, &line);
        assert_plain(line.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *second = size > 0 ? memchr(text, '\n', size) : NULL;
    size_t first_length = second ? (size_t)(second - text) : size;
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    plain_start();
    struct source *source = calloc(1, sizeof *source);
    if (!source) {
        return 0;
    }
    source->now = take(text, first_length);
    show(source, NULL, 80);
    if (second) {
        source->before = source->now;
        source->now = take(second + 1, size - first_length - 1);
    }
    const char *cell =
        source->now && source->now->cell_count > 0 ? source->now->cells[0].name : NULL;
    show(source, cell, 1 + size % 120);
    source_deinit(source);
    free(source);
    return 0;
}
