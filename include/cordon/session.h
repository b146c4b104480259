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

/* Returns 0; -EAGAIN with as many sessions open as the cell allows; what starting a worker met. */
CORDON_API CORDON_MUST_USE int cordon_session_open(struct cordon_cell *cell,
                                                   struct cordon_session **ret_session,
                                                   struct cordon_error *ret_error);

/*
 * End the session and its worker. NULL is fine. Handles, objects and arena memory end with it. Not from
 * inside a callback of the session itself.
 */
CORDON_API void cordon_session_close(struct cordon_session *session);

/* The session that calls of this thread without one use. Borrowed: not to be closed. NULL if none can be had. */
CORDON_API struct cordon_session *cordon_session_current(struct cordon_cell *cell);

/* As cordon_call(), in @session. */
CORDON_API CORDON_MUST_USE int cordon_session_call(struct cordon_session *session,
                                                   struct cordon_function *function,
                                                   const struct cordon_value *args, size_t count,
                                                   uint64_t deadline_ns,
                                                   struct cordon_result *ret_result);

/* Process id of the worker as its keeper sees it, or 0; for people and tests. */
CORDON_API int cordon_session_worker_pid(struct cordon_session *session);

#ifdef __cplusplus
}
#endif

#endif
