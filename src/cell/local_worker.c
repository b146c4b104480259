/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/local_worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/limits.h"
#include "cell/exits.h"
#include "cell/fault.h"
#include "cell/lost.h"
#include "lane/identity.h"
#include "lane/keeper.h"
#include "lane/worker.h"
#include "serve/serve.h"

/*
 * How it works.
 *
 * The thread serves its lane under a fault guard. However that ends, the thread says so on the lane, as
 * a keeper would say it of a process: verdict, death, gone.
 *
 * Then it ends, unless it cannot: native code loops, or the fault came while it held a lock of the
 * allocator, which the thread's exit wants as well. `state` decides who frees what: stop() swaps
 * SERVING for QUARANTINED, the thread swaps whatever stands there for ENDED. Who comes second sees the
 * other and owns the worker, and the lane if it was quarantined.
 *
 * Where native code is left by a jump of ours what was made for its calls is freed first. A fault may come
 * anywhere: its engine is kept, for ever.
 */

#define STACK_BYTES       (8u << 20) /* sparse, as a main thread's */
#define STACK_GUARD_BYTES (64u << 10)
/* A thread that has ENDED needs microseconds to exit, unless it hangs for good. */
#define EXIT_PATIENCE_NS (250 * CLOCK_MS_NS)

enum local_state {
    SERVING,
    QUARANTINED, /* stop() gave up: the thread owns the worker and the lane */
    ENDED,       /* the thread touches nothing any more */
};

struct local_worker {
    struct lane *lane;
    struct lane_end end;
    struct lane_ward ward;
    struct serve serve;
    struct engine *engine;
    struct provision provision;
    struct message refusal;    /* of the provision; empty: none */
    int refused;               /* its errno */
    enum serve_leave left;     /* why, after FAULT_LEFT */
    struct fault_scene *scene; /* NULL: of no interest */
    pid_t thread_id;           /* for fault_look(), once `is_there` */
    uint64_t thread_serial;
    _Atomic bool is_there;
    _Atomic bool has_begun; /* the provision has been executed */
    pthread_t thread;
    pthread_t self; /* the same, as the thread itself wrote it before any native code ran */
    int served;     /* what serve_run() returned */
    bool engine_lost;
    _Atomic uint32_t state; /* enum local_state; futex word */
    _Atomic bool stranded;  /* a thread of the library stands in a callback for ever */
    struct lost lost;
    void *resolve_context;
    void *(*resolve)(void *context, const char *symbol);
};

static _Atomic uint32_t quarantined;

/* ---- The end of a worker ----------------------------------------------------------------------- */

static void release(struct local_worker *worker)
{
    scene_free(worker->scene);
    if (worker->engine_lost || atomic_load_explicit(&worker->stranded, memory_order_relaxed)) {
        worker->lane = NULL;
        worker->scene = NULL;
        lost_keep(&worker->lost);
        return;
    }
    engine_free(worker->engine);
    free(worker);
}

static void *resolve(void *context, const char *symbol)
{
    const struct local_worker *worker = context;
    return exits_instead(worker->resolve(worker->resolve_context, symbol));
}

/* ---- The thread -------------------------------------------------------------------------------- */

static __attribute__((noreturn)) void leave(void *context, enum serve_leave why)
{
    struct local_worker *worker = context;
    if (!pthread_equal(worker->self, pthread_self())) {
        /* First: whoever learns of the verdict may free the worker. */
        atomic_store_explicit(&worker->stranded, true, memory_order_relaxed);
        (void)lane_ward_condemn(&worker->ward, LANE_FAILED, lane_ward_unanswered(&worker->ward),
                                NULL);
        fault_strand();
    }
    engine_drop_calls(worker->engine, NULL);
    worker->left = why;
    fault_leave();
}

static void serve_lane(void *context)
{
    struct local_worker *worker = context;
    fault_self(&worker->thread_id, &worker->thread_serial);
    /* Pairs with the acquire in local_worker_look(). */
    atomic_store_explicit(&worker->is_there, true, memory_order_release);
    worker->refused = provision_execute(&worker->provision, worker->engine, &worker->refusal);
    if (worker->refused < 0) {
        return;
    }
    /* Relaxed: the word alone is meant. */
    atomic_store_explicit(&worker->has_begun, true, memory_order_relaxed);
    worker->served = serve_run(&worker->serve, worker->engine);
}

static void condemn(struct local_worker *worker, enum lane_verdict verdict,
                    const struct lane_death *death)
{
    (void)lane_ward_condemn(&worker->ward, verdict, lane_ward_unanswered(&worker->ward), death);
}

static void condemn_for_fault(struct local_worker *worker, const struct fault *fault,
                              struct lane_death *death)
{
    *death = fault->exited ? (struct lane_death){.code = CLD_EXITED, .status = fault->status}
                           : (struct lane_death){.code = CLD_KILLED, .status = fault->signal};
    fault_describe(fault, death->text, sizeof(death->text));
    condemn(worker, LANE_DIED, death);
}

/* @end is of fault_guard(). A verdict that stands already is left as it is. */
static void give_verdict(struct local_worker *worker, int end, const struct fault *fault)
{
    struct lane_death death = {.code = 0};
    if (end == FAULT_HIT) {
        condemn_for_fault(worker, fault, &death);
    } else if (end < 0) {
        (void)snprintf(death.text, sizeof(death.text), "no alternate stack for a worker thread: %s",
                       strerror(-end));
        condemn(worker, LANE_START_FAILED, &death);
    } else if (worker->refused < 0) {
        death.status = -worker->refused;
        (void)snprintf(death.text, sizeof death.text, "%.*s", (int)sizeof death.text - 1,
                       worker->refusal.text);
        condemn(worker, LANE_START_FAILED, &death);
    } else if (end == FAULT_LEFT && worker->left == SERVE_ABANDONED) {
        condemn(worker, LANE_FAILED, NULL);
    } else if (worker->left == SERVE_BROKEN || worker->served == -EBADMSG) {
        condemn(worker, LANE_LIED, NULL);
    }
    /*
     * What there was to tell went with the verdict. Under another one nobody asks how the thread ended, and a report
     * of that may be copying the page.
     */
    worker->ward.death_written = true;
    lane_ward_gone(&worker->ward, &death);
}

static void *worker_main(void *context)
{
    struct local_worker *worker = context;
    struct fault fault = {0};

    worker->self = pthread_self();
    (void)pthread_setname_np(worker->self, "cordon-worker");
    int end = fault_guard_seen(serve_lane, worker, worker->scene, &fault);
    worker->engine_lost = end == FAULT_HIT;
    give_verdict(worker, end, &fault);

    /* Pairs with the exchange in quarantine(): who is second owns what the first one wrote. */
    if (atomic_exchange_explicit(&worker->state, ENDED, memory_order_acq_rel) == QUARANTINED) {
        lane_close(worker->lane);
        release(worker);
        (void)atomic_fetch_sub_explicit(&quarantined, 1, memory_order_relaxed);
        return NULL;
    }
    /* Still there: stop() frees it only when this thread has been joined. */
    futex_wake(&worker->state, 1);
    return NULL;
}

/* ---- Start ------------------------------------------------------------------------------------- */

static int open_lane_ends(struct local_worker *worker, const struct local_worker_options *options)
{
    void *h = lane_peek_h(options->lane);
    void *w = lane_peek_w(options->lane);
    int event_fd = lane_peek_event_fd(options->lane);
    worker->lane = options->lane;
    worker->ward = (struct lane_ward){
        .h = h,
        .w = w,
        .h_bytes = options->h_bytes,
        .w_bytes = options->w_bytes,
        .bell_fd = lane_peek_bell_fd(options->lane),
    };
    int r = lane_end_init(&worker->end, h, options->h_bytes, w, options->w_bytes, event_fd);
    worker->end.is_thread = true;
    return r;
}

static int make_engine(struct local_worker *worker, const struct local_worker_options *options,
                       struct message *why)
{
    struct serve_options serve_options = {
        .end = &worker->end,
        .leave = leave,
        .leave_context = worker,
    };
    serve_init(&worker->serve, &serve_options);
    worker->resolve_context = options->resolve_context;
    worker->resolve = options->resolve;
    struct engine_config config = {
        .arena = options->arena,
        .resolve_context = worker,
        .resolve = resolve,
        .transport = serve_transport(&worker->serve),
        .closures_max = LIMIT_CLOSURES,
        .handles_max = LIMIT_HANDLES,
        .kept_bytes_max = LIMIT_KEPT_BYTES,
        .identity = lane_identity(),
    };
    return engine_new(&config, &worker->engine, why);
}

/* The host's signals are not for these threads; faults must come through, or the kernel kills. */
static void fill_mask(sigset_t *ret_mask)
{
    static const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    (void)sigfillset(ret_mask);
    for (size_t i = 0; i < sizeof(synchronous) / sizeof(synchronous[0]); i++) {
        (void)sigdelset(ret_mask, synchronous[i]);
    }
}

static int start_thread(struct local_worker *worker)
{
    pthread_attr_t attributes;
    sigset_t mask;
    fill_mask(&mask);
    int r = pthread_attr_init(&attributes);
    if (r != 0) {
        return -r;
    }
    r = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (r == 0) {
        r = pthread_attr_setguardsize(&attributes, STACK_GUARD_BYTES);
    }
    if (r == 0) {
        r = pthread_attr_setsigmask_np(&attributes, &mask);
    }
    if (r == 0) {
        r = pthread_create(&worker->thread, &attributes, worker_main, worker);
    }
    (void)pthread_attr_destroy(&attributes);
    return -r;
}

static int start(struct local_worker *worker, const struct local_worker_options *options,
                 struct message *why)
{
    int r = fault_install();
    if (r < 0) {
        return message_set(why, r, "cannot guard against faults: %s", strerror(-r));
    }
    worker->scene = options->seen ? scene_new() : NULL;
    worker->provision = options->provision;
    r = open_lane_ends(worker, options);
    if (r < 0) {
        return message_set(why, r, "the lane of a worker thread is not sound");
    }
    r = make_engine(worker, options, why);
    if (r < 0) {
        return r;
    }
    r = start_thread(worker);
    if (r < 0) {
        engine_free(worker->engine);
        return message_set(why, r, "cannot start a worker thread: %s", strerror(-r));
    }
    return 0;
}

int local_worker_start(const struct local_worker_options *options, struct local_worker **ret_worker,
                       struct message *why)
{
    assert(options->lane != NULL && options->resolve != NULL);
    uint32_t runaways = local_worker_quarantined();
    if (runaways >= LIMIT_QUARANTINED_THREADS) {
        return message_set(
            why, -EAGAIN,
            "%u threads run calls that were given up and have not come back: no more "
            "worker threads are started (LIMIT_QUARANTINED_THREADS)",
            runaways);
    }
    int r = lost_judge(why);
    if (r < 0) {
        return r;
    }
    struct local_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        return message_set(why, -ENOMEM, "no memory for a worker thread");
    }
    r = start(worker, options, why);
    if (r < 0) {
        scene_free(worker->scene);
        free(worker);
        return r;
    }
    *ret_worker = worker;
    return 0;
}

/* ---- Stop -------------------------------------------------------------------------------------- */

static bool await_end(const struct local_worker *worker, uint64_t until_ns)
{
    /* Pairs with the exchange in worker_main(). */
    while (atomic_load_explicit(&worker->state, memory_order_acquire) == SERVING) {
        if (futex_wait(&worker->state, SERVING, until_ns) == -ETIMEDOUT) {
            return atomic_load_explicit(&worker->state, memory_order_acquire) == ENDED;
        }
    }
    return true;
}

/* Leave worker and lane to the thread. False if it has ended at the last moment. */
static bool quarantine(struct local_worker *worker)
{
    pthread_t thread = worker->thread;
    uint32_t state = SERVING;
    /* Counted first: the thread may come back, and count itself off, at any moment. */
    (void)atomic_fetch_add_explicit(&quarantined, 1, memory_order_relaxed);
    if (!atomic_compare_exchange_strong_explicit(&worker->state, &state, QUARANTINED,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        assert(state == ENDED);
        (void)atomic_fetch_sub_explicit(&quarantined, 1, memory_order_relaxed);
        return false;
    }
    (void)pthread_detach(thread);
    return true;
}

/*
 * The thread has ended serving, and exits now, or hangs in its exit for ever: then it stays counted.
 * By the wall clock: a jump of it is bounded harm here, and race detectors know only this way.
 */
static void join(const struct local_worker *worker)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    uint64_t until_ns = (uint64_t)until.tv_sec * CLOCK_SECOND_NS + (uint64_t)until.tv_nsec;
    until = clock_timespec(until_ns + EXIT_PATIENCE_NS);
    if (pthread_timedjoin_np(worker->thread, NULL, &until) != 0) {
        (void)atomic_fetch_add_explicit(&quarantined, 1, memory_order_relaxed);
        (void)pthread_detach(worker->thread);
    }
}

bool local_worker_stop(struct local_worker *worker, uint64_t patience_ns)
{
    assert(atomic_load_explicit(&worker->ward.h->verdict, memory_order_relaxed) != LANE_ALIVE);
    if (!await_end(worker, clock_after_ns(patience_ns)) && quarantine(worker)) {
        return false;
    }
    join(worker);
    release(worker);
    return true;
}

bool local_worker_has_ended(const struct local_worker *worker)
{
    /* Pairs with the exchange in worker_main(). */
    return atomic_load_explicit(&worker->state, memory_order_acquire) == ENDED;
}

bool local_worker_has_begun(const struct local_worker *worker)
{
    return atomic_load_explicit(&worker->has_begun, memory_order_relaxed);
}

const struct fault_scene *local_worker_peek_scene(const struct local_worker *worker)
{
    return worker->scene;
}

const struct fault_scene *local_worker_look(struct local_worker *worker, uint64_t until_ns,
                                            struct message *why)
{
    /* Pairs with the release in serve_lane(). */
    if (worker->scene == NULL || !atomic_load_explicit(&worker->is_there, memory_order_acquire)) {
        (void)message_set(why, 0, "%s", worker->scene ? "its thread has not begun" : "no memory");
        return NULL;
    }
    int r = fault_look(worker->thread_id, worker->thread_serial, worker->scene, until_ns, why);
    if (r == -EINPROGRESS) {
        worker->scene = NULL; /* the thread's for ever */
    }
    return r < 0 ? NULL : worker->scene;
}

uint32_t local_worker_quarantined(void)
{
    /* Relaxed: a count, nothing else hangs on it. */
    return atomic_load_explicit(&quarantined, memory_order_relaxed);
}
