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
#include "cell/life.h"
#include "cell/line.h"
#include "cell/recycle.h"
#include "cell/station.h"
#include "cell/thread.h"
#include "cell/violations.h"
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

#define SESSION_BOUND_WORDS (LIMIT_FUNCTIONS / 64u)

struct cordon_session {
    struct cordon_cell *cell;
    struct cordon_session *next; /* of the cell's explicit sessions; guarded by the cell's lock */
    bool is_explicit;

    struct line line; /* of those who wait for the lock */
    struct lean_lock lock;
    _Atomic uintptr_t holder; /* the holding thread's mark, 0: none */
    uint32_t depth;           /* of calls inside callbacks; the rest is the holder's */

    int events;              /* epoll on the present station's fds; -1: no such cell */
    struct station *station; /* NULL: none yet */
    _Atomic uint32_t number; /* the station's; for routing by handle */
    struct life life;        /* of the station's worker */
    bool is_promoted;        /* it was a spare */
    struct station *retired; /* the one before: closed when there is time; NULL: none */
    bool quiet;              /* answers do not ring the event descriptor */
    bool has_chores;         /* something is to be done once a call is on its way: session_tend() */
    bool chores_waited;      /* a call has passed since they came up */
    uint64_t *bound;         /* bit per function id */
    uint32_t on_start_done;  /* recorded calls that the worker has executed */
    uint32_t gate_seen;      /* the gate's turn that was looked at last */
    uint32_t failed_number;  /* of the last worker whose end was counted as a failure */
    uint32_t retry_after_ms; /* of the last refusal as CORDON_OPEN */
    struct recycle recycle;
    struct arena *arena; /* NULL: the cell has none */
    struct frame_hooks hooks;
    struct callback_table callbacks;
    struct call *call;              /* the innermost in progress: encoding, or awaited */
    bool unbegun;                   /* the worker had died before it began what it was asked last */
    int callback_error;             /* of the host's side, told by the outer call */
    struct cordon_pending *pending; /* in flight or settled: oldest first */
    struct cordon_pending *pending_last;
    struct cordon_pending *pending_free;
    uint32_t pending_count;
    uint64_t
        unwatched_ns; /* the first deadline that the keeper was not told of; CLOCK_NEVER: none */
    struct session_counts counts;
    struct violations violations;
    _Atomic uint64_t report; /* of the last end that has one; 0: none yet */
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
/* The same, but what session_on_wait() set may end the wait: -EINTR. */
int session_enter_looking(struct cordon_session *session, uint64_t deadline_ns);
/* That for a call; -EAGAIN: as many callers wait already as may (`queue`; without a session). */
int session_enter_queue(struct cordon_session *session, uint64_t deadline_ns);
/*
 * Of the calling thread, from now on: what it does from time to time while others have the session, and while a
 * worker starts.
 */
void session_on_wait(const struct line_look *look);
const struct line_look *session_look(void);
/* The sentence, and CORDON_BUSY, or -EINTR, for who was not let in. @ret_retry_ms may be NULL. */
int session_busy(const struct cordon_session *session, int entered, uint32_t *ret_retry_ms,
                 struct message *why);
/* True inside a callback of the session: this thread holds it. */
static inline bool session_is_mine(const struct cordon_session *session)
{
    /* relaxed: a thread reads its own mark here only if it wrote it itself. */
    return atomic_load_explicit(&session->holder, memory_order_relaxed) == cell_thread_mark();
}

/* Hold it if nobody does, this thread neither. */
static inline bool session_try_enter(struct cordon_session *session)
{
    if (session_is_mine(session) || line_is_waiting(&session->line) ||
        lean_lock_enter(&session->lock, cell_thread_mark(), 0) < 0) {
        return false;
    }
    atomic_store_explicit(&session->holder, cell_thread_mark(), memory_order_relaxed);
    return true;
}

static inline void session_leave(struct cordon_session *session)
{
    if (session->depth > 0) {
        session->depth--;
        return;
    }
    atomic_store_explicit(&session->holder, 0, memory_order_relaxed);
    lean_lock_leave(&session->lock, cell_thread_mark());
}

/*
 * A station that works, with the library loaded; a broken one is replaced.
 * Returns 0, a refusing outcome (CORDON_OPEN: poisoned; CORDON_BUSY: too many runaway threads), or a
 * negative errno.
 */
int session_station(struct cordon_session *session, struct message *why);

/* Whether answers ring the event descriptor. True: look for some before sleeping. Held. */
bool session_set_ringing(struct cordon_session *session, bool on);

/* A call of @function would not have to wait for a worker. Held; not from inside a callback. */
bool session_is_ready(struct cordon_session *session, const struct cordon_function *function);

/* Do now what calls of these functions would wait for. Returns as session_station(); -EBUSY: calls are in flight. */
int session_prepare(struct cordon_session *session, struct cordon_function *const *functions,
                    size_t count, struct message *why);

/* End its worker; the next call starts another. Held. Returns 0, -EBUSY: calls are in flight; -ENOMEM. */
int session_rest(struct cordon_session *session);

/* CORDON_OPEN if the daemon whose worker it has says so; 0. */
int session_weather(struct cordon_session *session, struct message *why);

/* What a call need not wait for, while it is on its way: the last station is closed, a spare ordered. */
void session_tend(struct cordon_session *session);

/* Of a station for this session, or one like it. */
void session_station_options(struct cordon_session *session, struct station_options *ret_options);

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
