/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/cell_tones.h"
#include "cli/command.h"
#include "cli/inquiry.h"
#include "cli/plain.h"
#include "cli/table.h"
#include "cordon/cell.h"

static const struct option_spec option_specs[] = INQUIRY_OPTIONS("cordon.cells");

enum { NAME, STATE, LEVEL, WORKERS, GENERATION, LIBRARY, ISOLATION };

static const struct table_column columns[] = {
    [NAME] = {"CELL", true, 0, 0},           [STATE] = {"STATE", true, 1, 0},
    [LEVEL] = {"LEVEL", true, 3, 0},         [WORKERS] = {"WORKERS", false, 2, 0},
    [GENERATION] = {"GEN", false, 5, 0},     [LIBRARY] = {"LIBRARY", true, 4, 0},
    [ISOLATION] = {"ISOLATION", true, 6, 0}, {NULL, false, 0, 0},
};

/* Whether @array has the string @name. */
static bool has(struct json_value array, const char *name)
{
    struct json_walk walk = json_walk(array);
    struct json_value element;
    while (json_walk_next(&walk, &element)) {
        if (json_value_equals(element, name)) {
            return true;
        }
    }
    return false;
}

/* The promises that are kept, or those that are not, whichever are fewer. */
static void isolation_text(struct json_value kept, struct message *text)
{
    uint32_t counts[2] = {0, 0};
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        const char *name = cordon_isolation_name(bit);
        counts[name && has(kept, name)] += name != NULL;
    }
    bool named = counts[1] < counts[0]; /* what is listed are kept ones */
    const char *before = named ? "" : "all but ";
    (void)message_set(text, 0, "%s", counts[0] == 0 ? "all" : counts[1] == 0 ? "none" : "");
    for (uint32_t bit = 1; bit != 0 && counts[0] > 0 && counts[1] > 0; bit <<= 1) {
        const char *name = cordon_isolation_name(bit);
        if (name && has(kept, name) == named) {
            message_add(text, "%s%s", before, name);
            before = ",";
        }
    }
}

static const char *text_at(struct json_value cell, const char *key)
{
    struct json_value value = json_value_get(cell, key);
    return json_value_kind(value) == JSON_KIND_STRING ? json_value_string(value, NULL) : "";
}

static void add_cell(struct table *table, struct json_value cell, const struct snapshot *snapshot)
{
    struct message text;
    char name[SNAPSHOT_NAME];
    const char *foreign = text_at(cell, "name");
    const char *state = text_at(cell, "state");
    struct json_value generation = json_value_get(cell, "generation");
    bool counted = json_value_kind(generation) == JSON_KIND_INT;
    struct table_row *row = table_add(table, 0);
    (void)plain_copy(name, sizeof name, foreign, strlen(foreign));
    const struct snapshot_cell *known = snapshot_find_cell(snapshot, name);
    table_set(row, NAME, TONE_PLAIN, 0, name);
    table_set(row, STATE, cell_state_tone(state), 0, state);
    table_set(row, LEVEL, TONE_PLAIN, 0, text_at(cell, "level"));
    table_set(row, LIBRARY, TONE_PLAIN, 0, text_at(cell, "library"));
    (void)message_set(&text, 0, "%lld", counted ? (long long)json_value_int(generation) : 0);
    table_set(row, GENERATION, TONE_PLAIN, 0, text.text);
    if (known) {
        char workers[CELL_WORKERS_BYTES];
        table_set(row, WORKERS, TONE_PLAIN, 0, cell_workers_text(known, workers));
    }
    isolation_text(json_value_get(cell, "isolation"), &text);
    table_set(row, ISOLATION, TONE_PLAIN, 0, text.text);
}

static int show(struct dialogue *dialogue, const char *socket)
{
    struct snapshot *snapshot = NULL;
    struct json_value result;
    struct table table;
    int r = inquiry_stats(dialogue, socket, NULL, &snapshot, &result);
    r = r == EXIT_DONE ? inquiry_ask(dialogue, socket, "cordon.cells", NULL, &result) : r;
    if (r != EXIT_DONE) {
        snapshot_free(snapshot);
        return r;
    }
    struct json_walk walk = json_walk(result);
    struct json_value cell;
    table_init(&table, columns);
    while (json_walk_next(&walk, &cell)) {
        add_cell(&table, cell, snapshot);
    }
    table_sort(&table, NAME, false);
    r = table_print(&table);
    table_deinit(&table);
    snapshot_free(snapshot);
    return r;
}

static int ask(struct dialogue *dialogue, const struct inquiry_wish *wish)
{
    struct json_value result;
    if (!wish->json) {
        return show(dialogue, wish->socket);
    }
    int r = inquiry_ask(dialogue, wish->socket, "cordon.cells", NULL, &result);
    return r == EXIT_DONE ? inquiry_print(result) : r;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    return inquiry_run(command, argc, argv, ask);
}

const struct command cells_command = {
    .name = "cells",
    .operands = "",
    .summary = "List the cells of a running daemon",
    .details = "WORKERS are those that serve, of those that all clients share; +N are single "
               "clients' own.\n",
    .options = option_specs,
    .run = run,
};
