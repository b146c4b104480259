/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_LEASE_H
#define CORDON_LEASE_H

/*
 * Lender: gives workers of a process's cells to other processes, which then call them directly, in shared
 * memory (docs/protocol/attach.md). The clients' side is cordon/attach.h.
 *
 * Life: open, offer cells, give each client a seat; wait for cordon_lender_fd() to be readable, dispatch;
 * close. A daemon hands a client its end of a seat over a socket of its own (SCM_RIGHTS) and
 * closes its copy; from then on everything goes over the seat.
 *
 * Threads: one at a time for a lender. Nothing here waits for a worker, a client or a disk, except
 * cordon_lender_close(). Fork: a lender does not survive it; in a child every function returns -ECHILD.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cordon/cell.h"
#include "cordon/error.h"
#include "cordon/export.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cordon_lender;

/* 0 means the default. */
struct cordon_lend_options {
    size_t size;              /* sizeof(struct cordon_lend_options) */
    uint32_t leases;          /* most workers out at once: default the cell's `workers` */
    uint64_t lease_idle_ms;   /* a lease without a call for so long is taken back: default 60000 */
    uint64_t deadline_max_ms; /* no call of a client takes longer: default 60000 */
    /*
     * Its clients are this process itself. Cells of level thread and inline may be lent, too: their workers
     * believe their clients, and enforce no deadline for them.
     */
    bool here;
};

struct cordon_lend_stats {
    uint32_t seats;     /* clients' */
    uint32_t leases;    /* workers out, those that are ending included */
    uint64_t lent;      /* ever */
    uint64_t refused;   /* busy, open, or not what may be asked */
    uint64_t crashes;   /* leases that ended by a crash, as the keeper saw it */
    uint64_t timeouts;  /* ... by a deadline */
    uint64_t recalled;  /* ... idle, or after a drain */
    uint64_t lost;      /* ... with their keeper */
    uint64_t calls;     /* that clients say they collected */
    uint32_t in_flight; /* that they say they did not */
};

/* Returns 0, or -EMFILE, -ENOMEM. */
CORDON_API CORDON_MUST_USE int cordon_lender_open(struct cordon_lender **ret_lender,
                                                  struct cordon_error *ret_error);

/*
 * End all leases, and wait until nothing is left of them (5 s at most). Clients see their seats end. Before
 * the cells are closed. NULL is fine.
 */
CORDON_API void cordon_lender_close(struct cordon_lender *lender);

/*
 * Lend workers of @cell (level process; with `here` any level): all functions and types of its interface,
 * all functions that are bound in it so far, and its on_start calls so far. @options may be NULL. Once for
 * each cell.
 *
 * Returns 0, -ENOTSUP (another level; a cell that is itself attached), -EEXIST, -E2BIG (LIMIT_FUNCTIONS), -EINVAL, -ENOMEM.
 */
CORDON_API CORDON_MUST_USE int cordon_lender_offer(struct cordon_lender *lender,
                                                   struct cordon_cell *cell,
                                                   const struct cordon_lend_options *options,
                                                   struct cordon_error *ret_error);

/*
 * A seat for a client.
 *
 * @client_pidfd   of the client: its seat ends with it, whatever still holds the socket. Borrowed (duplicated); -1: not known.
 * @ret_client_fd  its end, close-on-exec: to be sent to the client, and closed.
 *
 * Returns 0; -ENOENT: @cell is not offered; -EAGAIN: as many seats as may (4 for each lease, and 16); -EMFILE.
 */
CORDON_API CORDON_MUST_USE int cordon_lender_attach(struct cordon_lender *lender,
                                                    struct cordon_cell *cell, int client_pidfd,
                                                    int *ret_client_fd,
                                                    struct cordon_error *ret_error);

/* Readable (epoll, poll) when cordon_lender_dispatch() has something to do. Borrowed. */
CORDON_API int cordon_lender_fd(const struct cordon_lender *lender);

/* Do it. Never waits; does a bounded part, and is readable again if there is more. Returns 0 or -ECHILD. */
CORDON_API int cordon_lender_dispatch(struct cordon_lender *lender);

/*
 * Lend workers of @with (offered) to the clients of @cell from now on; NULL: nothing any more. Leases that
 * are out go on: their clients are asked to give them back, and what is not back in @drain_ms is taken. @cell may be
 * closed when cordon_lender_leases() says 0.
 *
 * Returns 0, -ENOENT: one of them is not offered.
 */
CORDON_API CORDON_MUST_USE int cordon_lender_replace(struct cordon_lender *lender,
                                                     struct cordon_cell *cell,
                                                     struct cordon_cell *with, uint64_t drain_ms,
                                                     struct cordon_error *ret_error);

/*
 * Place: a worker that is lent of a cell of level inline. It has no thread: who has sent it a call executes that itself.
 *
 * Returns the place of the lease that LEASED told as @worker, held until cordon_place_leave(); NULL: there is no such
 * lease, or it is of another level.
 */
struct cordon_place;
CORDON_API struct cordon_place *cordon_lender_place(struct cordon_lender *lender, uint32_t worker);

/*
 * Execute the oldest call that was sent and not executed, on this thread; nothing if there is none, or the lease has ended.
 * When this returns the lane has its answer, or a verdict. Native code cannot be interrupted: no deadline ends it.
 *
 * @relay  Called when native code has called back: the host answers on the lane before it returns, perhaps after calls
 *         from inside the callback, which are executed by calling this function there. Must return.
 *
 * Threads: one at a time for a place; not the lender's rule: others may use that meanwhile.
 */
CORDON_API void cordon_place_serve(struct cordon_place *place, void (*relay)(void *context),
                                   void *context);

/*
 * Give it back. Under a verdict the lane then says that nothing is left of its worker (gone). NULL is fine.
 * Threads: as cordon_place_serve().
 */
CORDON_API void cordon_place_leave(struct cordon_place *place);

/* Workers of @cell that are out, those that are ending included. */
CORDON_API uint32_t cordon_lender_leases(const struct cordon_lender *lender,
                                         const struct cordon_cell *cell);

/* False: @cell is not offered. */
CORDON_API bool cordon_lender_stats(const struct cordon_lender *lender,
                                    const struct cordon_cell *cell,
                                    struct cordon_lend_stats *ret_stats);

#ifdef __cplusplus
}
#endif

#endif
