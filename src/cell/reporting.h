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
    struct card *card; /* process; NULL: this cell's workers have no reports */
    int directory;     /* -1: none */
    const char *library;
};

/* A fault in this process (thread, inline). */
struct reporting_fault {
    enum cordon_level level;
    const char *function;
    int signal;
    const char *text; /* what is known of it */
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

/*
 * Write a report of a fault in this process: the function, the signal, the address; what takes another
 * process to find out - stacks, arguments - is missing, and the report says so. The heap may be damaged: it
 * is not used.
 *
 * Returns the report's id, or 0: none was written.
 */
uint64_t reporting_write_fault(const struct reporting *reporting,
                               const struct reporting_fault *fault);

/* An id for the report of a worker's end: the time, so that they sort, and chance. Never 0. */
uint64_t reporting_new_id(void);

/*
 * The directory that @reports means (NULL: the default one). Returns 0, -ENAMETOOLONG, or -ENOENT: "", or
 * there is no default for this user.
 */
int reporting_path(const char *reports, char *ret_path, size_t size);

#endif
