/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/inline_worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/futex.h"
#include "base/limits.h"
#include "cell/exits.h"
#include "cell/lost.h"
#include "lane/identity.h"
#include "lane/layout.h"

/*
 * How it works.
 *
 * A call runs the engine under a fault guard; the host's side of a callback runs with the guard
 * suspended, and may call again: a guarded run inside a host function inside a guarded run.
 *
 * A fault, or a callback that failed for good, ends the innermost call only: host functions lie between
 * it and the outer ones, and must not be jumped over. The worker is broken from then on, and as soon as
 * such a host function returns, the call around it ends in the same way.
 *
 * Where a call is left by a jump of ours what was made for it is freed first. A fault may come anywhere: its
 * engine is kept, for ever.
 */

/* As much as a lane with default sizes has room for; sparse, only touched pages cost. */
#define CALLBACK_BYTES (LIMIT_FRAME_BYTES / LANE_CALLBACK_SHARE)

struct inline_worker {
    struct inline_worker_options options;
    struct engine *engine;
    uint8_t *buffers[LIMIT_DEPTH]; /* callback frames, by depth; made when first needed, reused */
    uint32_t depth;                /* callbacks in progress */
    pthread_t thread;              /* that executes */
    struct fault fault;            /* after INLINE_FAULTED */
    struct fault_scene *scene;     /* of it; NULL: of no interest */
    _Atomic int end;               /* enum inline_end: how it broke; INLINE_DONE: it did not */
    const void *mark;              /* where the innermost execution began, in the engine's terms */
    _Atomic bool stranded;         /* a thread of the library stands in a callback for ever */
    struct lost lost;
};

static int how_it_broke(const struct inline_worker *worker)
{
    /* Pairs with the release in note_end(): who broke it stands still before. */
    return atomic_load_explicit(&worker->end, memory_order_acquire);
}

static void note_end(struct inline_worker *worker, enum inline_end end)
{
    int done = INLINE_DONE;
    (void)atomic_compare_exchange_strong_explicit(&worker->end, &done, (int)end,
                                                  memory_order_acq_rel, memory_order_relaxed);
}

/* On the thread that executes: its call never comes back. */
static __attribute__((noreturn)) void leave(struct inline_worker *worker)
{
    if (how_it_broke(worker) == INLINE_ABANDONED) {
        engine_drop_calls(worker->engine, worker->mark);
    }
    fault_leave();
}

/* ---- Callbacks --------------------------------------------------------------------------------- */

static int open_callback(void *context, struct engine_exchange *exchange)
{
    struct inline_worker *worker = context;
    if (worker->depth >= LIMIT_DEPTH) {
        return -E2BIG;
    }
    uint8_t **buffer = &worker->buffers[worker->depth];
    if (*buffer == NULL) {
        void *memory = mmap(NULL, CALLBACK_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            return -errno;
        }
        *buffer = memory;
    }
    worker->depth++;
    exchange->frame = *buffer;
    exchange->frame_space = CALLBACK_BYTES;
    exchange->reply_space = CALLBACK_BYTES;
    return 0;
}

static int ask(void *context, struct engine_exchange *exchange)
{
    struct inline_worker *worker = context;
    struct fault_frame *suspended = fault_suspend();
    int r = worker->options.ask(worker->options.ask_context, exchange);
    fault_resume(suspended);
    if (how_it_broke(worker) != INLINE_DONE) {
        leave(worker); /* a call from inside the callback broke it: so ends the one around */
    }
    return r;
}

static void close_callback(void *context, struct engine_exchange *exchange)
{
    struct inline_worker *worker = context;
    assert(worker->depth > 0);
    exchange->frame = NULL;
    worker->depth--;
}

static __attribute__((noreturn)) void abandon(void *context)
{
    struct inline_worker *worker = context;
    if (!pthread_equal(worker->thread, pthread_self())) {
        /* A thread that the library started. First: whoever learns of the end may free the worker. */
        atomic_store_explicit(&worker->stranded, true, memory_order_relaxed);
        note_end(worker, INLINE_ABANDONED);
        fault_strand();
    }
    note_end(worker, INLINE_ABANDONED);
    leave(worker);
}

static void tell_queued(void *context, int change)
{
    const struct inline_worker *worker = context;
    if (worker->options.ring && change > 0) {
        worker->options.ring(worker->options.ask_context);
    }
}

static int wait_for_word(void *context, const _Atomic uint32_t *word, uint32_t seen,
                         uint64_t until_ns)
{
    (void)context;
    (void)futex_wait(word, seen, until_ns);
    return 0;
}

/* ---- Calls ------------------------------------------------------------------------------------- */

struct execution {
    struct inline_worker *worker;
    const struct engine_request *request;
    struct engine_reply *reply;
};

static void execute(void *context)
{
    const struct execution *execution = context;
    engine_execute(execution->worker->engine, execution->request, execution->reply);
}

static int refuse(struct engine_reply *reply, int error)
{
    reply->status = error;
    reply->error_number = 0;
    reply->word_count = 0;
    reply->reply_bytes = 0;
    return INLINE_DONE;
}

int inline_worker_execute(struct inline_worker *worker, const struct engine_request *request,
                          struct engine_reply *ret_reply, struct fault *ret_fault)
{
    struct execution execution = {worker, request, ret_reply};
    worker->thread = pthread_self();
    if (how_it_broke(worker) == INLINE_DONE) {
        struct fault fault;
        const void *outer = worker->mark;
        worker->mark = engine_mark(worker->engine);
        int end = fault_guard_seen(execute, &execution, worker->scene, &fault);
        worker->mark = outer;
        if (end < 0) {
            return refuse(ret_reply, end);
        }
        if (end == FAULT_HIT) {
            worker->fault = fault;
            note_end(worker, INLINE_FAULTED);
        }
    }
    int broke = how_it_broke(worker);
    if (broke == INLINE_FAULTED) {
        *ret_fault = worker->fault;
    }
    return broke;
}

static void *resolve(void *context, const char *symbol)
{
    const struct inline_worker *worker = context;
    return exits_instead(worker->options.resolve(worker->options.resolve_context, symbol));
}

/* ---- Life -------------------------------------------------------------------------------------- */

int inline_worker_new(const struct inline_worker_options *options,
                      struct inline_worker **ret_worker, struct message *why)
{
    assert(options->resolve != NULL && options->ask != NULL);
    int r = lost_judge(why);
    if (r < 0) {
        return r;
    }
    r = fault_install();
    if (r < 0) {
        return message_set(why, r, "cannot guard against faults: %s", strerror(-r));
    }
    struct inline_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        return message_set(why, -ENOMEM, "no memory for an inline worker");
    }
    worker->options = *options;
    struct engine_config config = {
        .arena = options->arena,
        .resolve_context = worker,
        .resolve = resolve,
        .transport = {.context = worker,
                      .open = open_callback,
                      .ask = ask,
                      .close = close_callback,
                      .abandon = abandon,
                      .queued = tell_queued,
                      .wait = wait_for_word},
        .closures_max = LIMIT_CLOSURES,
        .handles_max = LIMIT_HANDLES,
        .kept_bytes_max = LIMIT_KEPT_BYTES,
        .identity = lane_identity(),
    };
    r = engine_new(&config, &worker->engine, why);
    if (r < 0) {
        free(worker);
        return r;
    }
    worker->scene = options->seen ? scene_new() : NULL;
    *ret_worker = worker;
    return 0;
}

const struct fault_scene *inline_worker_peek_scene(const struct inline_worker *worker)
{
    return worker->scene;
}

void inline_worker_free(struct inline_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    assert(worker->depth == 0 || how_it_broke(worker) != INLINE_DONE);
    for (uint32_t i = 0; i < LIMIT_DEPTH && worker->buffers[i] != NULL; i++) {
        (void)munmap(worker->buffers[i], CALLBACK_BYTES);
    }
    scene_free(worker->scene);
    worker->scene = NULL;
    if (how_it_broke(worker) == INLINE_FAULTED ||
        atomic_load_explicit(&worker->stranded, memory_order_relaxed)) {
        lost_keep(&worker->lost);
        return;
    }
    engine_free(worker->engine);
    free(worker);
}
