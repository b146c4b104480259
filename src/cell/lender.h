/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_LENDER_H
#define CELL_LENDER_H

/*
 * Lender: cells' workers for other processes (docs/protocol/attach.md). A **lending** is a cell that is offered, a
 * **seat** a client's place at it, a **lease** one worker that is out.
 *
 *            LEASE              END, idle, drain, client gone        gone
 *   NOTHING -------> OUT ---------------------------------> ENDING ------> NOTHING
 *                     |   verdict (died, late, ...)            ^
 *                     +----------------------------------------+
 *
 * A lending that is for this process itself (`here`) may be of level thread: then a lease is a thread (lender_local.c),
 * and no keeper has to do with it; or of level inline: then it is a place (place.h).
 *
 * A lease that is ENDING has no seat any more: the client may have another one. It counts until the keeper
 * says that nothing is left of the worker.
 *
 * What a client sends, and what stands in H, is input: read once, bounded, judged.
 *
 * Threads: one at a time. Nothing here waits.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "cordon/lease.h"
#include "lane/lease.h"

struct cordon_cell;
struct cordon_place;
struct keeper_client;
struct lane;
struct lender_seat;
struct local_worker;

/* What epoll knows a descriptor by. */
enum lender_source_kind {
    LENDER_BELL,
    LENDER_TIMER,
    LENDER_SEAT,    /* a client's message, or its end */
    LENDER_PROCESS, /* a client's end */
    LENDER_KEEPER,  /* a keeper's */
};

struct lender_source {
    enum lender_source_kind kind;
    void *owner;
};

struct lending {
    struct lending *next;
    struct cordon_lender *lender;
    struct cordon_cell *cell;
    uint32_t leases_max;
    uint64_t idle_ns;
    uint64_t deadline_max_ns;
    int board_fd; /* these three are owned */
    int plans_fd;
    int provision_fd;
    struct lease_board *board;
    uint32_t epoch;
    struct lending *with; /* what is lent instead; NULL: this */
    bool withdrawn;
    uint64_t drain_until_ns;
    struct cordon_lend_stats stats;

    /* A keeper that died is started again beside the loop. */
    pthread_t reviver;
    bool reviving;
    _Atomic bool revived;   /* the thread has ended */
    struct message revival; /* why it failed; empty: it did not */
};

struct lender_lease {
    struct lender_source keeper_source;
    struct lender_lease *next;
    struct lender_seat *seat; /* NULL: ENDING */
    struct lending *lending;
    uint32_t worker;
    struct keeper_client *keeper; /* held; NULL: a thread */
    int keeper_pidfd;             /* owned */
    struct lease_ledger *ledger;
    const struct lane_host_page *h; /* the client's, read-only; NULL: its thread is gone */
    struct lane *lane;              /* thread: the client's, mapped again; else NULL */
    struct local_worker *local;     /* thread; NULL: it is gone */
    struct cordon_place *place;     /* inline; held; NULL: it is gone */
    uint64_t ended_ns;              /* thread, inline: when its verdict was seen; 0: it was not */
    uint32_t submitted;             /* as H had it last */
    uint32_t collected;
    uint64_t idle_since_ns;
    uint32_t reason;    /* enum errand_reason, of the END */
    bool end_wanted;    /* ... that could not be sent yet */
    bool is_probe;      /* of the breaker */
    bool start_known;   /* how its start went was noted */
    bool verdict_known; /* its end was noted, and told */
};

struct lender_seat {
    struct lender_source source;
    struct lender_source process_source;
    struct lender_seat *next;
    struct lending *lending;
    int socket;
    int client_pidfd; /* -1: not known */
    struct lender_lease *lease;
    bool broken;  /* to be swept: its client is gone, or breaks the rules */
    bool waiting; /* its LEASE is answered later */
    uint64_t waiting_until_ns;
    struct lease_request request;
    int fds[LEASE_FDS_MAX]; /* of the request; -1 */
};

struct cordon_lender {
    int generation; /* fork_mark.h */
    int epoll;
    int bell; /* rung by keepers */
    int timer;
    uint64_t due_ns; /* when it is readable next */
    struct lender_source bell_source;
    struct lender_source timer_source;
    struct lending *lendings;
    struct lender_seat *seats;
    struct lender_lease *leases;
};

/* Every so often leases are looked at, while there are any. */
#define LENDER_LOOK_NS     250000000ull
#define LENDER_RETRY_NS    10000000ull
#define LENDER_PATIENCE_NS 2000000000ull /* of a LEASE, for a worker that is about to be gone */

int lender_open(struct cordon_lender **ret_lender, struct message *why);
void lender_close(struct cordon_lender *lender);
int lender_offer(struct cordon_lender *lender, struct cordon_cell *cell,
                 const struct cordon_lend_options *options, struct message *why);
int lender_attach(struct cordon_lender *lender, struct cordon_cell *cell, int client_pidfd,
                  int *ret_client_fd, struct message *why);
void lender_dispatch(struct cordon_lender *lender);
int lender_replace(struct cordon_lender *lender, struct cordon_cell *cell, struct cordon_cell *with,
                   uint64_t drain_ms, struct message *why);
/* NULL: it is not offered. */
struct lending *lender_find(const struct cordon_lender *lender, const struct cordon_cell *cell);
void lender_stats(const struct lending *lending, struct cordon_lend_stats *ret_stats);

/* ---- lender_lending.c -------------------------------------------------------------------------- */

int lending_new(struct cordon_lender *lender, struct cordon_cell *cell,
                const struct cordon_lend_options *options, struct lending **ret_lending,
                struct message *why);
void lending_free(struct lending *lending);

/* Write the board: @epoch is the lending's, the weather its breaker's. */
void lending_tell(struct lending *lending);

/* Its keeper is there. False: it is being started again, or that failed: @why. */
bool lending_has_keeper(struct lending *lending, struct message *why, bool *ret_failed);

/* ---- lender_lease.c ---------------------------------------------------------------------------- */

/*
 * Start a worker for a seat's request, whose descriptors stay the seat's. Returns 0; -EAGAIN: later;
 * otherwise what the client is told: an outcome or a negative errno, with @why.
 */
int lease_start(struct lender_seat *seat, struct lender_lease **ret_lease, uint64_t *ret_report_id,
                uint32_t *ret_retry_ms, struct message *why);

/* Its worker is not needed any more; the seat is another's. */
void lease_end(struct lender_lease *lease, uint32_t reason);

/* Look at what the keeper and the client wrote. True: it is over, and freed. */
bool lease_look(struct lender_lease *lease, uint64_t now_ns, bool keeper_lost);

/* The place of a lease that is out; NULL: it is none of level inline. Held for the caller. */
struct cordon_place *lease_place(const struct cordon_lender *lender, uint32_t worker);

/* A thread has nobody who would look at it in time once it is to end. */
bool lease_is_leaving(const struct lender_lease *lease);

/* Workers of the lending that are out, and how many of them are about to be gone. */
uint32_t lease_count(const struct lending *lending, uint32_t *ret_ending);

/* ---- lender_local.c: what lender_lease.c has done where the worker is a thread ------------------ */

static inline bool lease_is_local(const struct lender_lease *lease)
{
    return lease->keeper == NULL;
}

/* Start it on the lane that came with the seat's request. 0, an outcome or a negative errno: then nothing is left. */
int lease_local_start(struct lender_lease *lease, const struct lender_seat *seat,
                      struct message *why);
void lease_local_end(struct lender_lease *lease);
/* A client has seen a thread's death in its lane, and may ask for another one before it was looked at here. */
void lease_local_note_deaths(const struct lending *lending);
/* Bring the ledger up to date. @last: whatever it does, it is gone afterwards. */
void lease_local_look(struct lender_lease *lease, uint64_t now_ns, bool last);
void lease_local_free(struct lender_lease *lease);

/* ---- lender_seat.c ----------------------------------------------------------------------------- */

int seat_new(struct lending *lending, int client_pidfd, int *ret_client_fd, struct message *why);
void seat_free(struct lender_seat *seat);
void seat_listen(struct lender_seat *seat);
/* Its worker's verdict stands. A lease has its seat no more. */
void seat_tell_end(struct lender_seat *seat, uint32_t worker, uint32_t verdict);
/* Something else is lent from now on. */
void seat_move(struct lender_seat *seat, struct lending *lending);
/* Answer a request that waits, if it can be answered now. */
void seat_retry(struct lender_seat *seat, uint64_t now_ns);

#endif
