/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_REPORTS_H
#define KEEPER_REPORTS_H

/*
 * Reports: captures on their way to cordon-symbolize, which makes reports of them. One of these
 * programs runs at a time, others wait, what exceeds that is only counted: reports are for people, and a
 * storm of crashes needs no storm of them. What is allowed has a place: it is made, or counted as missed, and
 * the next report of its cell tells how many were.
 *
 * Threads: the keeper's only one. Nothing is allocated.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "report/capture.h"

#define REPORTS_WAITING  16u
#define REPORTS_BYTES    (8u * CAPTURE_BYTES_MAX) /* of all that wait, or are being taken */
#define REPORTS_CELLS    64u                      /* of which the rate is known at a time */
#define REPORTS_BURST    5u
#define REPORTS_EVERY_NS 100000000ull /* of one cell, after the burst */
#define REPORTS_TIME_NS                                                                            \
    15000000000ull /* for one to be written: its program's own time is up sooner */
#define REPORTS_NICE 5

/* What a report is made of; -1 where there is none. */
struct reports_fds {
    int capture;
    int directory;
    int card;
    int h;
    int recording;
};

/* What happens to workers that are well: one of each kind per cell and REPORTS_MINOR_NS; others are no report's. */
enum reports_kind {
    REPORTS_END, /* of a worker */
    REPORTS_REFUSAL,
    REPORTS_RECYCLING,
    REPORTS_KIND_COUNT,
};
#define REPORTS_MINOR_NS 10000000000ull

/* How fast one cell's reports come: a cell is known by its card, or its directory. */
struct reports_cell {
    uint64_t device;
    uint64_t inode;                        /* 0: free */
    uint64_t full_ns;                      /* when REPORTS_BURST may come again */
    uint32_t missed;                       /* since the last */
    uint64_t minor_ns[REPORTS_KIND_COUNT]; /* when one may come again; of END: 0 */
};

struct reports {
    int program; /* borrowed; -1: nobody writes reports */
    pid_t child; /* the program, running; 0: none */
    int child_pidfd;
    uint64_t child_until_ns;
    bool hurries;
    uint32_t promised; /* allowed, and neither made nor cancelled yet */
    uint32_t waiting;
    uint64_t waiting_bytes;
    struct reports_fds queue[REPORTS_WAITING]; /* owned */
    struct reports_cell cells[REPORTS_CELLS];
};

void reports_init(struct reports *reports, int program);

/*
 * May a report be made now? True: it has a place, *ret_missed is how many of this cell could not be made since
 * the last; reports_make() or reports_cancel() follows. False: it counts as missed, or there was one of its minor
 * kind a short time ago.
 */
bool reports_allow(struct reports *reports, enum reports_kind kind, int card, int directory,
                   uint32_t *ret_missed);

/* Hand over the capture; descriptors are taken. */
void reports_make(struct reports *reports, struct reports_fds *fds);

/* There is none: it counts as missed, like the @missed that it would have told of. */
void reports_cancel(struct reports *reports, int card, int directory, uint32_t missed);

/* A child ended. True: it was the program; it is reaped, the next one runs. */
bool reports_exited(struct reports *reports, pid_t pid);
bool reports_has_pid(const struct reports *reports, pid_t pid);

/* True while something is written or waits to be. */
bool reports_busy(const struct reports *reports);

/* Nobody can wait any more: all that is there is written with what is known of it already. */
void reports_hurry(struct reports *reports);

/* When reports_time() is due; CLOCK_NEVER: no need. */
uint64_t reports_due_ns(const struct reports *reports);
void reports_time(struct reports *reports);

#endif
