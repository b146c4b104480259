/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_LOCAL_WORKER_H
#define CELL_LOCAL_WORKER_H

/*
 * Local worker: a thread of ours that serves a lane with an engine in this process (level thread).
 *
 * Created with all signals blocked, named "cordon-worker", joinable, with a guarded stack and alternate
 * stack. A fault in native code gives the lane the verdict LANE_DIED with the signal, and the thread
 * ends. A thread that does not come back is quarantined: it keeps its lane and engine until it does.
 *
 * A callback on a thread that the library started ends the lane as LANE_FAILED, and stops that thread for
 * ever. A fault inside the allocator can leave an arena's lock held: the thread may then hang in its exit
 * (it stays counted as quarantined), and so may other threads that share the arena.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "frame/frame.h"
#include "lane/host.h"
#include "serve/provision.h"

struct fault_scene;
struct local_worker;

struct local_worker_options {
    struct lane *
        lane; /* private memory; given to the worker when it is quarantined, else stays the caller's */
    uint32_t h_bytes;
    uint32_t w_bytes;
    void *resolve_context;
    void *(*resolve)(void *context, const char *symbol);
    struct frame_arena arena;
    bool seen; /* its end is reported: of a fault the scene is taken */
    struct provision
        provision; /* of a lent worker: what it does before it serves; its own from then on */
};

int local_worker_start(const struct local_worker_options *options, struct local_worker **ret_worker,
                       struct message *why);

/*
 * End it: the lane's verdict must stand. Waits up to @patience_ns for the thread, then joins it.
 * Returns true when it is gone (the lane is the caller's to close); false when it was quarantined (it
 * now owns the lane, and closes it when it comes back; counted by local_worker_quarantined()).
 */
bool local_worker_stop(struct local_worker *worker, uint64_t patience_ns);

/* True once local_worker_stop() need not wait for it. */
bool local_worker_has_ended(const struct local_worker *worker);

/* True once its provision has been executed: it serves, or has served. */
bool local_worker_has_begun(const struct local_worker *worker);

/* The scene of its fault, once a verdict tells of one; NULL: none is taken. Lives as long as the worker. */
const struct fault_scene *local_worker_peek_scene(const struct local_worker *worker);

/*
 * Have its thread asked where it stands: it runs on. Returns the scene, or NULL with the reason. A system
 * call in which it sleeps may end with EINTR by it.
 */
const struct fault_scene *local_worker_look(struct local_worker *worker, uint64_t until_ns,
                                            struct message *why);

/* Threads that never came back, in this process. */
uint32_t local_worker_quarantined(void);

#endif
