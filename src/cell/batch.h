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

struct cordon_session *batch_session(const struct cordon_pending *pending);

/*
 * Settle all that is in flight: what is submitted later is answered later. Returns 0, or -ETIME.
 */
int batch_settle_all(struct cordon_session *session, uint64_t until_ns);

/* Give up what was never collected, and the storage. The station is broken or idle. */
void batch_free(struct cordon_session *session);

#endif
