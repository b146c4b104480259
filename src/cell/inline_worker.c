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
 * An engine that native code has left by a jump is lost: it is in no state to be freed. It is kept where
 * leak checkers see it.
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
    _Atomic int end;               /* enum inline_end: how it broke; INLINE_DONE: it did not */
    struct inline_worker *next_lost;
};

static _Atomic(struct inline_worker *) lost_workers;

static int how_it_broke(const struct inline_worker *worker)
{
    /* Relaxed: another thread than the caller's writes it only to stop there. */
    return atomic_load_explicit(&worker->end, memory_order_relaxed);
}

static void note_end(struct inline_worker *worker, enum inline_end end)
{
    int done = INLINE_DONE;
    (void)atomic_compare_exchange_strong_explicit(&worker->end, &done, (int)end,
                                                  memory_order_relaxed, memory_order_relaxed);
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
        fault_leave(); /* a call from inside the callback broke it: so ends the one around */
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
    note_end(worker, INLINE_ABANDONED);
    if (!pthread_equal(worker->thread, pthread_self())) {
        fault_strand(); /* a thread that the library started */
    }
    fault_leave();
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
        int end = fault_guard(execute, &execution, &fault);
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

/* ---- Life -------------------------------------------------------------------------------------- */

int inline_worker_new(const struct inline_worker_options *options,
                      struct inline_worker **ret_worker, struct message *why)
{
    assert(options->resolve != NULL && options->ask != NULL);
    int r = fault_install();
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
        .resolve_context = options->resolve_context,
        .resolve = options->resolve,
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
    *ret_worker = worker;
    return 0;
}

static void keep_lost(struct inline_worker *worker)
{
    /* Relaxed: nobody walks the list; it is there to be pointed from. */
    struct inline_worker *head = atomic_load_explicit(&lost_workers, memory_order_relaxed);
    do {
        worker->next_lost = head;
    } while (!atomic_compare_exchange_weak_explicit(&lost_workers, &head, worker,
                                                    memory_order_release, memory_order_relaxed));
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
    if (how_it_broke(worker) != INLINE_DONE) {
        keep_lost(worker);
        return;
    }
    engine_free(worker->engine);
    free(worker);
}
