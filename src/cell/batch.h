/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_BATCH_H
#define CELL_BATCH_H

/*
 * Batch: the calls of a session that were submitted and not yet collected, oldest first. A worker
 * serves in order, so they settle in order: awaited, answered (callbacks too), decoded; collecting only
 * hands over what was settled.
 *
 * Threads: the session's holder.
 */

#include <stdint.h>

#include "cell/call.h"
#include "cell/session.h"
#include "cordon/batch.h"

int batch_submit(struct cordon_session *session, const struct cordon_function *function,
                 const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                 struct cordon_pending **ret_pending, struct message *why);

int batch_collect(struct cordon_pending *pending, uint64_t until_ns,
                  struct cordon_result *ret_result);

int batch_collect_any(struct cordon_session *session, uint64_t until_ns,
                      struct cordon_pending **ret_pending);

/* The keeper knows of every deadline of what is in flight. Held. */
void batch_watch(struct cordon_session *session);

struct cordon_session *batch_session(const struct cordon_pending *pending);

/*
 * The whole of cordon_call_soon() behind the choice of the session: submit, and wait for no longer than waiting is
 * spinning; @turn: that of cordon_call_turn(). Returns as these.
 */
int batch_call_soon(struct cordon_session *session, const struct cordon_function *function,
                    const struct cordon_value *args, size_t count, uint64_t deadline_ns, bool turn,
                    struct cordon_pending **ret_pending, struct cordon_result *ret_result);

/* A quick call may be made that may have to be kept; false: no memory. batch_take() has it then, for batch_keep(). */
bool batch_make_spare(struct cordon_session *session);
static inline bool batch_has_spare(struct cordon_session *session)
{
    return session->pending_free != NULL || batch_make_spare(session);
}
struct cordon_pending *batch_take(struct cordon_session *session);
/* The call to fill in before batch_keep(). */
struct call *batch_call(struct cordon_pending *pending);

/*
 * A quick call is in flight from now on. @came: an event that is more than a plain answer, or NULL. Returns -ETIME, with
 * @ret_pending; or how it ended.
 */
int batch_keep(struct cordon_pending *pending, const struct cordon_value *args, size_t count,
               const struct lane_event *came, struct cordon_pending **ret_pending,
               struct cordon_result *ret_result);

/*
 * Settle all that is in flight: what is submitted later is answered later. Returns 0, or -ETIME.
 */
int batch_settle_all(struct cordon_session *session, uint64_t until_ns);

/* Give up what was never collected, and the storage. The station is broken or idle. */
void batch_free(struct cordon_session *session);

#endif
