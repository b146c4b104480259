/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_ATTACHMENT_H
#define CELL_ATTACHMENT_H

/*
 * Attachment: a cell of a daemon, seen by a client (docs/protocol/attach.md). It has seats, one for each worker
 * that this process has there; a station holds one as long as it lives, and gives it back.
 *
 * What the daemon sends is judged: sizes, seals, plans, words that are read once. Its socket's end is the end of
 * its workers.
 *
 * Threads: any for an attachment; one at a time for a seat.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/message.h"
#include "lane/lease.h"

struct arena;
struct interface;
struct lane;

struct attached_seat {
    struct attached_seat *next; /* of all of the attachment's; guarded by its lock */
    struct attachment *attachment;
    bool is_taken;
    /*
     * Guards closing the socket, by whoever holds the seat, against sending: a session is closed by others, too.
     */
    pthread_mutex_t socket_lock;
    int socket; /* -1: lost */
    const struct lease_board *board;
    const struct lease_board
        *board_before; /* of the present worker, where another welcome came since */
    uint32_t serial;
    uint32_t worker;  /* the daemon's number of it; 0: none */
    uint32_t verdict; /* that was told of it; 0: none */
    bool has_changed; /* what is lent now is something else than what this process knows */
};

struct attachment {
    char *gateway;
    char *cell;
    struct lease_welcome welcome; /* the first one, judged */
    const void *plans;            /* as the first one had them */
    uint64_t plans_bytes;
    ino_t plans_inode;
    pthread_mutex_t lock;
    struct attached_seat *seats;
    _Atomic uint32_t retry_ms; /* of the last refusal: a hint */
    bool is_child;             /* it is being closed in a forked child */
};

/* What a lease was given. */
struct attached_worker {
    uint32_t epoch;
    uint64_t report_id;
};

/* Dial, and hear what is lent. Returns 0, or as dial(); -EPROTO: of another build, or not sound. */
int attachment_open(const char *gateway, const char *cell, struct attachment **ret_attachment,
                    struct message *why);
/*
 * Seats close: workers end. @is_child: of a fork, where nothing of the parent's is disturbed, and what was
 * mapped is not there. NULL is fine.
 */
void attachment_close(struct attachment *attachment, bool is_child);

/* The functions, whose ids are their places, and types that are lent; each plan judged. */
int attachment_interface(const struct attachment *attachment, struct interface **ret_interface,
                         struct message *why);

/* A seat that nobody uses, or a new one. */
int attached_take(struct attachment *attachment, uint64_t until_ns, struct attached_seat **ret_seat,
                  struct message *why);

/* What is on it is ended; one that was lost is forgotten. NULL is fine. */
void attached_give(struct attached_seat *seat);

/* ---- attached_seat.c --------------------------------------------------------------------------- */

/* Dial, and wait to be welcome. The attachment's lock is held for these two. */
int attached_new(struct attachment *attachment, uint64_t until_ns, struct attached_seat **ret_seat,
                 struct message *why);
void attached_free(struct attached_seat *seat);

/* Nobody looks any more at the board of the worker before. */
void attached_forget_board(struct attached_seat *seat);

/*
 * A worker for @lane (and @arena, or NULL). Waits for the daemon's answer, not for the worker.
 * Returns 0; an outcome or a negative errno; -EPIPE: the daemon is gone.
 */
int attached_lease(struct attached_seat *seat, const struct lane *lane, const struct arena *arena,
                   uint64_t until_ns, struct attached_worker *ret_worker, struct message *why);

/* End the worker. Threads: any, as long as the seat is not given back. */
void attached_end(struct attached_seat *seat);

/*
 * Hear what the daemon has to say, without waiting. False: worker and daemon are lost, and nobody writes a
 * verdict.
 */
bool attached_hear(struct attached_seat *seat);

#endif
