/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_ATTACH_H
#define CORDON_ATTACH_H

/*
 * Attach: a cell of a daemon (`cordon serve`) as a cell of this process. Its workers are the daemon's: started,
 * limited, watched and ended there, by its policy; calls go to them directly, in shared memory. This
 * process starts no process and needs no program of Cordon.
 *
 * Everything that can be done with a cell can be done with this one: bind (what the daemon lends, by name; a declaration has to say
 * exactly the same), sessions, calls, batches, callbacks, arenas, objects, deadlines, events. Not on_start calls,
 * which are the daemon's, and not another level than process. Sessions are not recorded (`record`): for replay, a
 * report of the daemon holds the call that it blames, and no more.
 *
 * When the daemon dies, calls in flight end as CORDON_ABORTED within 100 ms; the next call tries to attach
 * again. A worker that died is replaced by the next call, as ever. CORDON_BUSY: as many workers are lent as may
 * be; CORDON_OPEN: the daemon's breaker is open.
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

/* Start from CORDON_ATTACH_OPTIONS; 0 and NULL mean the default. */
struct cordon_attach_options {
    size_t size;         /* sizeof(struct cordon_attach_options) */
    const char *gateway; /* path of the daemon's socket */
    const char *cell;    /* its name there: letters, digits, '_', '-', '.' */
    uint32_t workers;    /* most workers for calls without a session: default 1 */
    uint32_t sessions;   /* most explicit sessions: default 64 */
    uint32_t queue;      /* as in cordon_cell_options */
    uint64_t
        deadline_ms; /* of calls that give none: default the daemon's; cut at its deadline_max_ms */
    uint64_t arena_bytes; /* arena of each session: default none, at most the daemon's */
    bool events;          /* completions make cordon_session_event_fd() readable */
    uint32_t require;     /* enum cordon_isolation: refuse to attach without */
};
#define CORDON_ATTACH_OPTIONS                                                                      \
    {                                                                                              \
        .size = sizeof(struct cordon_attach_options)                                               \
    }

/*
 * Attach to a cell. The result is used, and closed, as any other cell; no worker is taken before it is needed.
 *
 * Returns 0; what connect() met (-ENOENT, -ECONNREFUSED, -EACCES); -ENOTCONN with the daemon's sentence: it
 * refused; -EPROTO: it is of another build; -ENOTSUP: @require; -ETIMEDOUT; -EINVAL, -E2BIG, -ENOMEM.
 * Threads: any.
 */
CORDON_API CORDON_MUST_USE int cordon_attach(const struct cordon_attach_options *options,
                                             struct cordon_cell **ret_cell,
                                             struct cordon_error *ret_error);

#ifdef __cplusplus
}
#endif

#endif
