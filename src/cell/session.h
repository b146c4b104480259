/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_SESSION_H
#define CELL_SESSION_H

/*
 * Session: a caller's place at one worker. It opens a station when it is first needed and a fresh one
 * after the last has broken, binds functions there, and knows what is in flight.
 *
 * Who may act: one thread at a time holds the session (session_enter), with a deadline on waiting for
 * it; the holder may enter again from inside a callback, and is then `nested`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/lean_lock.h"
#include "base/limits.h"
#include "base/message.h"
#include "cell/callback.h"
#include "cell/station.h"
#include "cordon/batch.h"
#include "frame/frame.h"

struct cordon_cell;
struct cordon_function;
struct call;

/* Counters that only the holder writes; read by anyone. */
struct session_counts {
    _Atomic uint64_t calls;
    _Atomic uint64_t ended[8];
    _Atomic uint64_t refused;
};

struct cordon_session {
    struct cordon_cell *cell;
    struct cordon_session *next; /* of the cell's explicit sessions; guarded by the cell's lock */
    bool is_explicit;

    struct lean_lock lock;
    _Atomic uintptr_t holder; /* the holding thread's mark, 0: none */
    uint32_t depth;           /* of calls inside callbacks; the rest is the holder's */

    int events;              /* epoll on the present station's fds; -1: no such cell */
    struct station *station; /* NULL: none yet */
    _Atomic uint32_t number; /* the station's; for routing by handle */
    uint64_t *bound;         /* bit per function id */
    struct arena *arena;     /* NULL: the cell has none */
    struct frame_hooks hooks;
    struct callback_table callbacks;
    struct call *call;              /* the innermost in progress: encoding, or awaited */
    bool unbegun;                   /* the worker had died before it began what it was asked last */
    int callback_error;             /* of the host's side, told by the outer call */
    struct cordon_pending *pending; /* in flight or settled: oldest first */
    struct cordon_pending *pending_last;
    struct cordon_pending *pending_free;
    uint32_t pending_count;
    struct session_counts counts;
};

int session_new(struct cordon_cell *cell, bool is_explicit, struct cordon_session **ret_session,
                struct message *why);
/* Ends the worker. Nobody may hold the session. */
void session_free(struct cordon_session *session);

/*
 * Hold the session. Returns 0 (held first), 1 (nested), -ETIMEDOUT.
 * session_leave() undoes either.
 */
int session_enter(struct cordon_session *session, uint64_t deadline_ns);
/* Hold it if nobody does, this thread neither. */
bool session_try_enter(struct cordon_session *session);
void session_leave(struct cordon_session *session);

/*
 * A station that works, with the library loaded; a broken one is replaced.
 * Returns 0, a refusing outcome (CORDON_OPEN: poisoned; CORDON_BUSY: too many runaway threads), or a
 * negative errno.
 */
int session_station(struct cordon_session *session, struct message *why);

/* Make sure that @function is bound at the station. Returns 0, an outcome, or a negative errno. */
int session_bind(struct cordon_session *session, const struct cordon_function *function,
                 struct message *why);

/* A request to the engine itself: words and bytes there, words and bytes back. */
struct session_verb {
    uint32_t verb;
    uint64_t words[5];
    const void *bytes;
    uint32_t byte_count;
    uint64_t reply_words[3];
    void *reply;
    uint32_t reply_room;
    uint32_t reply_bytes;
};

/*
 * Execute it. Returns 0, an outcome, or a negative errno (the engine's, with its sentence; the
 * worker's, when it could not start). @session->unbegun: the worker had died before; it may be asked of
 * another one, unless it is about this one's objects.
 */
int session_verb(struct cordon_session *session, struct session_verb *verb, uint64_t deadline_ns,
                 struct message *why);

static inline void session_count(_Atomic uint64_t *counter)
{
    /* relaxed load and store: one writer, and readers who want no order. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

#endif
