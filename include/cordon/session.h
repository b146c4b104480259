/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_SESSION_H
#define CORDON_SESSION_H

/*
 * Session: a caller pinned to one worker and one thread of it, so that hidden state (error queues,
 * strtok, rand, locale, thread-local data), handles and objects stay together. Calls without a session
 * use one that the cell picks by thread; an explicit one has its worker to itself.
 *
 * A session outlives its worker: after a crash the next call starts a fresh one, and handles of the
 * old are stale.
 *
 * Threads: any; calls of one session are executed one after the other.
 */

#include "cordon/function.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cordon_session;

/*
 * Have a worker ready: started, the library loaded, @functions bound there. What a call would do first; done apart, the
 * next calls need not wait for it (cordon_submit_ready()). Waits as long as a start takes (`start_ms`).
 *
 * Returns 0; CORDON_OPEN while the cell pauses between failing starts, or is poisoned, CORDON_BUSY; -EBUSY with
 * calls in flight; as cordon_cell_open() and cordon_bind() for what starting and binding met.
 * Threads: any.
 */
CORDON_API CORDON_MUST_USE int cordon_session_prepare(struct cordon_session *session,
                                                      struct cordon_function *const *functions,
                                                      size_t count, uint32_t *ret_retry_ms,
                                                      struct cordon_error *ret_error);

/*
 * End the session's worker, and have none until the next call, which starts another: for a session that is not needed
 * for a while. Handles, objects and arena memory end with it.
 *
 * Returns 0; -EBUSY with calls in flight; -EDEADLK from inside a callback of the session; CORDON_OPEN if its cell is
 * poisoned; -ECHILD. Threads: any; it waits for calls of other threads.
 */
CORDON_API int cordon_session_rest(struct cordon_session *session);

/* Returns 0; -EAGAIN with as many sessions open as the cell allows; what starting a worker met. */
CORDON_API CORDON_MUST_USE int cordon_session_open(struct cordon_cell *cell,
                                                   struct cordon_session **ret_session,
                                                   struct cordon_error *ret_error);

/*
 * End the session and its worker. NULL is fine. Handles, objects and arena memory end with it.
 * Returns 0; -EDEADLK from inside a callback of the session itself: then nothing has happened.
 */
CORDON_API int cordon_session_close(struct cordon_session *session);

/*
 * End the session's worker now, whatever it does: calls in flight end as CORDON_ABORTED, for whoever waits for them; the
 * next call has a fresh worker. Handles, objects and arena memory end with it. At level thread the thread is left
 * behind (quarantined); at level inline there is nothing to end.
 *
 * Returns 0, -ECHILD, -EINVAL. Threads: any, also while another one waits for a call. Signals: not for use in a handler.
 */
CORDON_API int cordon_session_interrupt(struct cordon_session *session);

/* The session that calls of this thread without one use. Borrowed: not to be closed. NULL if none can be had. */
CORDON_API struct cordon_session *cordon_session_current(struct cordon_cell *cell);

/* As cordon_call(), in @session. */
CORDON_API CORDON_MUST_USE int cordon_session_call(struct cordon_session *session,
                                                   struct cordon_function *function,
                                                   const struct cordon_value *args, size_t count,
                                                   uint64_t deadline_ns,
                                                   struct cordon_result *ret_result);

/*
 * Run callbacks that came on threads of the library (`anythread` in the prototype): wait until @until_ns (0: only
 * look) for one, run it and all others that are there, on this thread. Such a callback waits LIMIT_QUEUED_MS
 * (3 s) in its thread, then the library gets what `fails(...)` says. Calls in flight are settled first; calls of
 * other threads in this session wait meanwhile. In cells with `events` cordon_session_event_fd() becomes
 * readable when one is there.
 *
 * @ret_count  How many were run. May be NULL.
 *
 * Returns 0, whether there were any or not; an outcome (CORDON_ABORTED, ...) when the worker is gone or ended;
 * the negative errno of a callback that failed; -ETIMEDOUT, -E2BIG, once, when callbacks were given their failure
 * value since the last time because they waited too long, or too many did (LIMIT_QUEUED_CALLBACKS); -EDEADLK from inside a callback, -ECHILD, -ESHUTDOWN.
 * Threads: any.
 */
CORDON_API CORDON_MUST_USE int cordon_session_dispatch(struct cordon_session *session,
                                                       uint64_t until_ns, uint32_t *ret_count,
                                                       struct cordon_error *ret_error);

/* Process id of the worker as its keeper sees it, or 0; for people and tests. */
CORDON_API int cordon_session_worker_pid(struct cordon_session *session);

#ifdef __cplusplus
}
#endif

#endif
