/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_REPORTING_H
#define CELL_REPORTING_H

/*
 * Reporting: the host's part in reports. A cell has a card, which says what it is, and a directory where
 * its reports go; each worker is started with both and the id that the report of its end will have. The
 * rest is the keeper's.
 *
 * Life: opened with the cell, functions added as they are bound, closed with it.
 */

#include <stdint.h>

#include "base/message.h"
#include "cordon/cell.h"

struct card;

struct reporting {
    struct card *card; /* NULL: this cell has no reports */
    int directory;
};

/*
 * @options  of the cell: `reports` says where. @isolation: as promised.
 *
 * Returns 0, also where the default directory cannot be had (no reports then), or a negative errno: the
 * directory that was asked for cannot be had, or no memory.
 */
int reporting_open(struct reporting *reporting, const struct cordon_cell_options *options,
                   uint32_t isolation, struct message *why);

/* All zero is fine. */
void reporting_close(struct reporting *reporting);

/* Threads: the caller holds the cell's lock. */
void reporting_add_function(struct reporting *reporting, uint32_t id, const void *plan,
                            size_t bytes);

/* An id for the report of a worker's end: the time, so that they sort, and chance. Never 0. */
uint64_t reporting_new_id(void);

/*
 * The directory that @reports means (NULL: the default one). Returns 0, -ENAMETOOLONG, or -ENOENT: "", or
 * there is no default for this user.
 */
int reporting_path(const char *reports, char *ret_path, size_t size);

#endif
