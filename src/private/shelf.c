/* SPDX-License-Identifier: Apache-2.0 */
#include "private/shelf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPLACE_DRAIN_MS 10000u /* how long a program may keep workers of what was replaced */

struct closing {
    struct job job;
    struct cordon_cell *cell;
};

static void close_work(struct job *job)
{
    (void)cordon_cell_close(((struct closing *)job)->cell);
}

static void close_done(struct job *job)
{
    free(job);
}

/* Workers are waited for: on a thread. */
static void close_cell(struct shelf *shelf, struct cordon_cell *cell)
{
    struct closing *closing = calloc(1, sizeof *closing);
    if (!closing) {
        (void)cordon_cell_close(cell);
        return;
    }
    *closing = (struct closing){.job = {.work = close_work, .done = close_done}, .cell = cell};
    jobs_add(shelf->jobs, &closing->job);
}

struct shelved *shelf_find(const struct shelf *shelf, const char *name)
{
    struct shelved *shelved = shelf->cells;
    while (shelved && (shelved->leaving || strcmp(shelved->name, name) != 0)) {
        shelved = shelved->next;
    }
    return shelved;
}

static int offer(struct shelf *shelf, const char *name, struct cordon_cell *cell,
                 const struct cordon_lend_options *lend, struct shelved **ret_shelved,
                 struct message *why)
{
    struct cordon_error error = {{0}};
    if (shelf->count == SHELF_CELLS_MAX) {
        return message_set(why, -E2BIG, "%u cells are open, the most there may be",
                           SHELF_CELLS_MAX);
    }
    struct shelved *shelved = calloc(1, sizeof *shelved);
    char *own = strdup(name);
    int r = shelved && own ? cordon_lender_offer(shelf->lender, cell, lend, &error) : -ENOMEM;
    if (r != 0) {
        free(own);
        free(shelved);
        return message_set(why, r, "%s", r == -ENOMEM ? "not enough memory" : error.text);
    }
    *shelved = (struct shelved){.next = shelf->cells, .name = own, .cell = cell, .lend = *lend};
    shelf->cells = shelved;
    shelf->count++;
    *ret_shelved = shelved;
    return 0;
}

static void withdraw(struct shelf *shelf, struct shelved *shelved, struct cordon_cell *with,
                     uint64_t drain_ms)
{
    shelved->leaving = true;
    /* It fails for what is not offered alone: both are. */
    (void)!cordon_lender_replace(shelf->lender, shelved->cell, with, drain_ms, NULL);
}

int shelf_put(struct shelf *shelf, const char *name, struct cordon_cell *cell,
              const struct cordon_lend_options *lend, struct shelved **ret_shelved,
              struct message *why)
{
    struct shelved *before = shelf_find(shelf, name);
    int r = offer(shelf, name, cell, lend, ret_shelved, why);
    if (r != 0) {
        close_cell(shelf, cell);
        return r;
    }
    (*ret_shelved)->generation = before ? before->generation + 1 : 1;
    if (before) {
        withdraw(shelf, before, cell, REPLACE_DRAIN_MS);
    }
    return 0;
}

void shelf_drop(struct shelf *shelf, struct shelved *shelved, uint64_t drain_ms)
{
    withdraw(shelf, shelved, NULL, drain_ms);
}

void shelf_sweep(struct shelf *shelf)
{
    for (struct shelved **link = &shelf->cells; *link;) {
        struct shelved *shelved = *link;
        if (!shelved->leaving || cordon_lender_leases(shelf->lender, shelved->cell) > 0) {
            link = &shelved->next;
            continue;
        }
        *link = shelved->next;
        shelf->count--;
        close_cell(shelf, shelved->cell);
        free(shelved->name);
        free(shelved);
    }
}
