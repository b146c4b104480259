/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVATE_SHELF_H
#define PRIVATE_SHELF_H

/*
 * Shelf: the cells that were opened for the program, by name, each lent to it.
 *
 *            open               close, replaced          its last worker is back
 *   (none) --------> offered ------------------> leaving -----------------------> closed, on a thread
 *
 * Threads: one, but for opening and closing, which jobs do.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "cordon/cell.h"
#include "cordon/lease.h"
#include "private/jobs.h"

#define SHELF_CELLS_MAX 4096u

struct shelved {
    struct shelved *next;
    char *name; /* owned */
    struct cordon_cell *cell;
    struct cordon_lend_options lend;
    uint32_t generation; /* of this name */
    bool leaving;
};

struct shelf {
    struct cordon_lender *lender;
    struct jobs *jobs;
    struct shelved *cells;
    uint32_t count;
};

/* The one of this name that is offered, or NULL. */
struct shelved *shelf_find(const struct shelf *shelf, const char *name);

/*
 * Offer @cell (taken, also on failure) under @name; what had that name is replaced: clients move when nothing of
 * theirs is in flight. Returns 0, -E2BIG, -ENOMEM, or what offering met.
 */
int shelf_put(struct shelf *shelf, const char *name, struct cordon_cell *cell,
              const struct cordon_lend_options *lend, struct shelved **ret_shelved,
              struct message *why);

/* Lend it no more: its workers are taken back within @drain_ms, then it is closed. */
void shelf_drop(struct shelf *shelf, struct shelved *shelved, uint64_t drain_ms);

/* Close what is leaving and has no worker out any more. After the lender was dispatched. */
void shelf_sweep(struct shelf *shelf);

#endif
