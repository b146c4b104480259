/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_STATE_H
#define INVOKE_STATE_H

/*
 * What an engine consists of. Only the files of this folder look inside.
 *
 * Calls nest: a callback may lead to another call. An activation is one call with a frame, in
 * progress; activations are a stack through `outer`. Calls without a frame (direct.h) have none.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "invoke/binding.h"
#include "invoke/closures.h"
#include "invoke/engine.h"
#include "invoke/handles.h"
#include "invoke/kept.h"
#include "invoke/queue.h"
#include "invoke/resident.h"
#include "invoke/seal.h"

struct activation {
    struct activation *outer;
    struct binding *binding;
    struct frame_call *call;
    void *result;            /* of its own memory; NULL: none */
    struct kept_item *fresh; /* memory and trampolines made for it */
    size_t refused_bytes;    /* what LIMIT_KEPT_BYTES had no room for; 0: nothing */
};

/* While a callback's arguments are turned into a frame: objects first met there end with it. */
struct callback_scope {
    uint64_t owner; /* a handle for the callback itself, made when needed; 0: not yet */
};

struct engine {
    struct engine_config config;
    struct symbols symbols;
    struct frame_hooks hooks;
    struct bindings bindings;
    struct seal seal;
    struct handles *handles;
    struct closures *closures;
    struct queue *queue; /* callbacks on threads of the library */
    struct kept kept;
    struct resident *ended_residents; /* freed when the outermost call ends */
    struct activation *activation;    /* innermost; NULL: none */
    struct callback_scope *scope;     /* NULL outside of a callback's arguments */
    struct message *why;              /* where hooks without a @why say theirs; NULL: nowhere */
    uint64_t calls;                   /* that had a frame: names them for kept_commit() */
    uint32_t depth;                   /* of callbacks: LIMIT_DEPTH */
    int callback_status; /* 0, or why a callback of the running call did not reach the host */
    struct message callback_why;
    _Atomic(const struct binding *) running;
    _Atomic pthread_t thread; /* that executes */
    struct engine *next_haunted;
};

#endif
