/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_INLINE_WORKER_H
#define CELL_INLINE_WORKER_H

/*
 * Inline worker: an engine that executes on the caller's thread, guarded (level inline).
 *
 * Callbacks come as engine exchanges to @ask, on the same thread, with the guard suspended: a fault in
 * @ask is the host's own. When a call from inside @ask ends the worker, @ask still runs to its end; then
 * the call around it ends in the same way.
 *
 * What native code has left half done is the library's loss. Ours is given back, but after a fault: then
 * the worker can be freed, and its engine is kept as it is (cell/lost.h).
 *
 * Threads: one at a time; the caller locks.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "cell/fault.h"
#include "invoke/engine.h"

struct inline_worker;

struct inline_worker_options {
    void *resolve_context;
    void *(*resolve)(void *context, const char *symbol);
    struct frame_arena arena;
    bool seen; /* its end is reported: of a fault the scene is taken */
    /* A callback: answer it. As engine_transport.ask. */
    int (*ask)(void *context, struct engine_exchange *exchange);
    /* A thread of the library waits to be dispatched: tell event loops. Threads: any. */
    void (*ring)(void *context);
    void *ask_context;
};

int inline_worker_new(const struct inline_worker_options *options,
                      struct inline_worker **ret_worker, struct message *why);
void inline_worker_free(struct inline_worker *worker);

enum inline_end {
    INLINE_DONE = 0,
    INLINE_FAULTED = 1,   /* ret_fault; the worker must not be used again */
    INLINE_ABANDONED = 2, /* a callback failed without failure value: likewise */
};

/* The scene of its fault, after INLINE_FAULTED; NULL: none is taken. Lives as long as the worker. */
const struct fault_scene *inline_worker_peek_scene(const struct inline_worker *worker);

/* Execute; nested from inside @ask. */
int inline_worker_execute(struct inline_worker *worker, const struct engine_request *request,
                          struct engine_reply *ret_reply, struct fault *ret_fault);

#endif
