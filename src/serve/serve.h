/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

/*
 * Serve: join a lane's worker side with an engine. Takes calls from the lane, executes them, answers;
 * carries callbacks to the host and executes the calls that arrive from inside them. The worker program
 * and the worker threads of level `thread` are both this loop.
 *
 * A call with bytes has four words in the mailbox beside its places. A frame holds its words itself; a
 * verb of the engine that takes five has the fifth, 32 bits of it, as the message's status. A callback
 * with more words than fit beside its place travels as a frame of nothing but words.
 *
 * Life: serve_init(); engine_new() with serve_transport(); serve_run() until the lane has ended.
 *
 * Threads: the one that serves the lane. Signals: any may arrive.
 */

#include <stdbool.h>
#include <stdint.h>

#include "invoke/engine.h"
#include "lane/worker.h"

/* Why native frames must be left, with no way back into them. */
enum serve_leave {
    SERVE_SHUTDOWN = 1,  /* the lane's verdict came while a callback waited for its answer */
    SERVE_BROKEN = 2,    /* the host's message in the conversation is no message */
    SERVE_ABANDONED = 3, /* a callback failed without failure value, or came where none may */
};

struct serve_options {
    struct lane_end *end; /* borrowed as long as the serve is used */
    bool read_only_bytes; /* H is mapped read-only here: arguments may be passed in place */
    /*
     * Leave: end the process, or jump out to below serve_run(). Native frames lie in between: the engine
     * must not be used again, nor freed. SERVE_ABANDONED may come on a thread that the library started.
     */
    void (*leave)(void *context, enum serve_leave why) __attribute__((noreturn));
    void *leave_context;
    /*
     * NULL, or: the host has the word, and nobody else is there to hear it: when this returns, it has answered the
     * callback that was sent, perhaps by way of serve_one().
     */
    void (*relay)(void *context);
    void *relay_context;
};

struct serve {
    struct serve_options options;
    struct engine *engine; /* while serve_run() runs */
    uint32_t depth;        /* callbacks that wait for their answer */
};

void serve_init(struct serve *serve, const struct serve_options *options);

/* What engine_new() needs; borrows @serve, which must stay where it is. */
struct engine_transport serve_transport(struct serve *serve);

/*
 * Take and execute calls until the lane ends. @engine is borrowed.
 * Returns -ESHUTDOWN when a verdict stands, -EBADMSG when the host sent what is no call. A verdict that
 * comes while a callback waits does not return here but goes to options->leave.
 */
int serve_run(struct serve *serve, struct engine *engine);

/*
 * Execute the call that the host has sent, on its own thread. @nested: from inside of a relay.
 * Returns 0, also when none was sent; as serve_run() if there is nothing to be had.
 */
int serve_one(struct serve *serve, struct engine *engine, bool nested);

#endif
