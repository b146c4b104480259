/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_BATCH_H
#define CORDON_BATCH_H

/*
 * Batch: many calls submitted to one session, one doorbell, answers collected in order or as they
 * finish. Up to CORDON_BATCH_MAX calls are in flight in a session.
 *
 * A pending call belongs to its session and ends exactly once: by the cordon_collect() that returns an
 * outcome. Memory that arguments name must stay until then; deadlines are enforced though nobody waits.
 * At level `inline` a call is executed when it is submitted.
 *
 * Threads: one at a time for one session's batch.
 */

#include "cordon/session.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CORDON_BATCH_MAX 64
#define CORDON_SOON                                                                                \
    1u /* an @until_ns: wait only while waiting is spinning, and for no other thread */

struct cordon_pending;

/*
 * Submit a call without waking the worker: cordon_flush() does.
 * Returns 0; -EAGAIN with CORDON_BATCH_MAX in flight; as cordon_call() for arguments that do not fit; a
 * refusing outcome (CORDON_STALE, CORDON_OPEN, CORDON_BUSY), sentence in @ret_error.
 */
CORDON_API CORDON_MUST_USE int cordon_submit(struct cordon_session *session,
                                             struct cordon_function *function,
                                             const struct cordon_value *args, size_t count,
                                             uint64_t deadline_ns,
                                             struct cordon_pending **ret_pending,
                                             struct cordon_error *ret_error);

/*
 * As cordon_submit(), but never waits for a worker to start, nor for another thread in the session: -ENOTCONN
 * when the session has none that is ready for @function (cordon_session_prepare() makes it so), -EBUSY
 * while another thread is in it. For event loops. @ret_refusal gets, of a call that is not taken, the sentence and
 * retry_after_ms; it may be NULL.
 */
CORDON_API CORDON_MUST_USE int cordon_submit_ready(struct cordon_session *session,
                                                   struct cordon_function *function,
                                                   const struct cordon_value *args, size_t count,
                                                   uint64_t deadline_ns,
                                                   struct cordon_pending **ret_pending,
                                                   struct cordon_result *ret_refusal);

/*
 * As cordon_call() (in @session, unless it is NULL), but wait only while waiting is spinning: a few microseconds. For
 * who holds something that others need meanwhile - an interpreter's lock - and gives it up only for calls that
 * take longer. Answers do not ring the event descriptor from then on (cordon_session_ring()).
 *
 * Returns as cordon_call(); or -ETIME: the call is in flight, @ret_pending is for cordon_collect(), which is
 * where a worker is replaced, too, that had died before it began; or, with nothing done, -ENOTCONN as
 * cordon_submit_ready(), -EBUSY while another thread is in the session, this one is inside its callback, calls are in flight,
 * and always at level `inline`: cordon_call() does what these need.
 */
CORDON_API CORDON_MUST_USE int cordon_call_soon(struct cordon_function *function,
                                                struct cordon_session *session,
                                                const struct cordon_value *args, size_t count,
                                                uint64_t deadline_ns,
                                                struct cordon_pending **ret_pending,
                                                struct cordon_result *ret_result);

/*
 * As cordon_call_soon(), but wait for other threads' calls first, in turn with those who wait already, and begin behind
 * calls that are in flight. -EAGAIN as cordon_submit(); CORDON_BUSY as cordon_call(); -EINTR (cordon_on_wait()).
 * Not to be called with what these threads need, such as an interpreter's lock.
 */
CORDON_API CORDON_MUST_USE int cordon_call_turn(struct cordon_function *function,
                                                struct cordon_session *session,
                                                const struct cordon_value *args, size_t count,
                                                uint64_t deadline_ns,
                                                struct cordon_pending **ret_pending,
                                                struct cordon_result *ret_result);

/*
 * What this thread does each 20 ms while it waits for other threads' calls in a session, or for a worker's start: look for
 * signals, say. Once @look has returned nonzero, what waits returns -EINTR without having begun, the start is given up;
 * cordon_collect() returns -ETIME. NULL: nothing, as at first. It may call other functions of libcordon; in a session
 * whose worker is being started they return -EDEADLK.
 */
CORDON_API void cordon_on_wait(int (*look)(void *context), void *context);

/* Let the worker begin. Cheap when it is already running. A cordon_collect() that has to wait does so, too. */
CORDON_API void cordon_flush(struct cordon_session *session);

/*
 * Wait for one call until @until_ns (0: only look; CORDON_SOON).
 * Returns its outcome, after which @pending is gone; -ETIME when it has not ended yet.
 */
CORDON_API CORDON_MUST_USE int cordon_collect(struct cordon_pending *pending, uint64_t until_ns,
                                              struct cordon_result *ret_result);

/* Where it is in flight. Borrowed. */
CORDON_API struct cordon_session *cordon_pending_session(const struct cordon_pending *pending);

/*
 * Find a call that has ended (its cordon_collect() will not wait); waits until @until_ns for one.
 * Returns 0, -ETIME, -ENOENT when none is in flight.
 */
CORDON_API CORDON_MUST_USE int cordon_collect_any(struct cordon_session *session, uint64_t until_ns,
                                                  struct cordon_pending **ret_pending);

/*
 * Descriptor that polls readable when a call has ended, by an answer, a crash or its deadline, in cells
 * opened with `events`; -1 in others. Borrowed; for poll and epoll only; cordon_collect_any() drains it: call
 * that until it returns -ETIME or -ENOENT before sleeping again. It may ring for nothing. It stays the same when the
 * worker is replaced. At level inline it rings when a call is submitted, which executes it.
 */
CORDON_API int cordon_session_event_fd(struct cordon_session *session);

/*
 * Whether answers ring cordon_session_event_fd(); at first they do, and a fresh worker keeps to what was said last. An
 * event loop that is awake and collects by itself turns them off, which spares it and the worker a system call for
 * each answer, and on again before it sleeps. Deaths and deadlines ring always.
 *
 * Returns 1 if, with @on, a call may have ended without a ring: collect before sleeping. Else 0.
 */
CORDON_API int cordon_session_ring(struct cordon_session *session, bool on);

#ifdef __cplusplus
}
#endif

#endif
