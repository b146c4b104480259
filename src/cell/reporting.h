/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_REPORTING_H
#define CELL_REPORTING_H

/*
 * Reporting: the host's part in reports. A cell has a card, which says what it is, and a directory where
 * its reports go; each worker process is started with both and the id that the report of its end will have,
 * and the rest is the keeper's. Of ends in this process (thread, inline) the host captures itself.
 *
 * Life: opened with the cell, functions added as they are bound, closed with it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "cordon/cell.h"

struct card;
struct fault_scene;
struct lane_host_page;
struct policy;
struct reporting_ids;

struct reporting {
    struct card *card; /* NULL: this cell's workers have no reports */
    int directory;     /* -1: none */
    const char *library;
    struct reporting_ids *ids; /* NULL: reports are not made */
};

#define REPORTING_IDS 64u /* of the cell's last workers, whose reports are known to be its own */

/* The end of a call in this process (thread, inline), or of the process by it. */
struct reporting_end {
    uint32_t why; /* enum capture_why */
    bool ended;   /* the worker with it */
    enum cordon_level level;
    const char *function;
    int signal;
    int exit_status;
    const char *text;                /* what is known of it */
    const struct fault_scene *scene; /* NULL, or not taken: no registers and no stack */
    const char *scene_missing;       /* why */
    uint32_t worker;                 /* its station's number */
    uint64_t deadline_ns;            /* of the call; CLOCK_NEVER: none */
    /* The lane, or what stands for it at level inline. */
    const struct lane_host_page *page; /* NULL: none */
    const uint8_t *memory;             /* places in the page's records count from here */
    uint32_t memory_at;                /* the first that may be one */
    uint32_t memory_bytes;
    uint32_t seq; /* the call; 0: none */
};

/*
 * @options  of the cell: `reports` says where. @isolation: as promised. @policy: in force.
 *
 * Returns 0, also where the default directory cannot be had (no reports then), or a negative errno: the
 * directory that was asked for cannot be had, or no memory.
 */
int reporting_open(struct reporting *reporting, const struct cordon_cell_options *options,
                   uint32_t isolation, const struct policy *policy, struct message *why);

/* All zero is fine. */
void reporting_close(struct reporting *reporting);

/* Threads: the caller holds the cell's lock. */
void reporting_add_function(struct reporting *reporting, uint32_t id, const void *plan,
                            size_t bytes);

/*
 * Have a report written of an end in this process: registers, stack and request are captured and handed to
 * cordon-symbolize, which goes on by itself. Where that cannot be had a small report is written at once,
 * which says why. The heap may be damaged: it is not used.
 *
 * Returns the report's id, or 0: none is written.
 */
uint64_t reporting_write_end(const struct reporting *reporting, const struct reporting_end *end);

/*
 * An id for the report of a worker's end: the time, so that they sort, and chance. Never 0. The cell knows it
 * as its own from now on. Threads: any.
 */
uint64_t reporting_new_id(const struct reporting *reporting);

/* Is it one of the last ids that were made for this cell? Threads: any. */
bool reporting_is_own(const struct reporting *reporting, uint64_t id);

/*
 * The directory that @reports means (NULL: the default one). Returns 0, -ENAMETOOLONG, or -ENOENT: "", or
 * there is no default for this user.
 */
int reporting_path(const char *reports, char *ret_path, size_t size);

#endif
