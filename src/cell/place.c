/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/place.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cell/exits.h"
#include "cell/fault.h"
#include "cell/lost.h"
#include "lane/identity.h"
#include "lane/keeper.h"
#include "lane/worker.h"
#include "serve/serve.h"

struct cordon_place {
    _Atomic uint32_t holders;
    struct lane *lane;
    struct lane_end end;
    struct lane_ward ward;
    struct serve serve;
    struct engine *engine;
    void *resolve_context;
    void *(*resolve)(void *context, const char *symbol);

    /* Of the thread that serves. */
    pthread_t thread;
    uint32_t inside; /* calls of place_serve() in progress: one, and those in its relay */
    void (*relay)(void *context); /* of the innermost one */
    void *relay_context;
    const void *mark; /* where it began, in the engine's terms */
    int served;       /* what serve_one() returned */
    enum serve_leave left;
    bool faulted;          /* the engine is in no state to be freed */
    _Atomic bool stranded; /* a thread of the library stands in a callback for ever */
    struct lost lost;
};

static bool is_over(const struct cordon_place *place)
{
    return lane_ward_verdict(&place->ward) != LANE_ALIVE;
}

static void condemn(struct cordon_place *place, enum lane_verdict verdict,
                    const struct lane_death *death)
{
    (void)lane_ward_condemn(&place->ward, verdict, lane_ward_unanswered(&place->ward), death);
}

/* ---- Leaving native code ----------------------------------------------------------------------- */

static __attribute__((noreturn)) void leave(void *context, enum serve_leave why)
{
    struct cordon_place *place = context;
    if (!pthread_equal(place->thread, pthread_self())) {
        /* A thread that the library started. First: whoever learns of the end may drop the place. */
        atomic_store_explicit(&place->stranded, true, memory_order_relaxed);
        condemn(place, LANE_FAILED, NULL);
        fault_strand();
    }
    if (!place->faulted) {
        engine_drop_calls(place->engine, place->mark);
    }
    place->left = why;
    fault_leave();
}

/* The host's side of a callback runs as the host does everywhere. */
static void let_host_answer(void *context)
{
    const struct cordon_place *place = context;
    struct fault_frame *suspended = fault_suspend();
    place->relay(place->relay_context);
    fault_resume(suspended);
}

static void give_verdict(struct cordon_place *place, int end, const struct fault *fault)
{
    struct lane_death death = {.code = 0};
    if (end == FAULT_HIT) {
        place->faulted = true;
        death.code = fault->exited ? CLD_EXITED : CLD_KILLED;
        death.status = fault->exited ? fault->status : fault->signal;
        fault_describe(fault, death.text, sizeof death.text);
        condemn(place, LANE_DIED, &death);
    } else if (end < 0) {
        (void)snprintf(death.text, sizeof death.text, "no alternate stack: %s", strerror(-end));
        condemn(place, LANE_START_FAILED, &death);
    } else if (end == FAULT_LEFT && place->left == SERVE_ABANDONED) {
        condemn(place, LANE_FAILED, NULL);
    } else if (end == FAULT_LEFT ? place->left == SERVE_BROKEN : place->served == -EBADMSG) {
        condemn(place, LANE_LIED, NULL);
    }
    if (place->inside == 0 && is_over(place)) {
        place->ward.death_written = true;
        lane_ward_gone(&place->ward, &death);
    }
}

/* ---- Serving ----------------------------------------------------------------------------------- */

static void serve_here(void *context)
{
    struct cordon_place *place = context;
    place->served = serve_one(&place->serve, place->engine, place->inside > 1);
}

void place_serve(struct cordon_place *place, void (*relay)(void *context), void *context)
{
    if (is_over(place)) {
        return;
    }
    void (*outer_relay)(void *context) = place->relay;
    void *outer_context = place->relay_context;
    const void *outer_mark = place->mark;
    struct fault fault = {0};
    place->relay = relay;
    place->relay_context = context;
    place->mark = engine_mark(place->engine);
    place->thread = pthread_self();
    place->inside++;
    int end = fault_guard(serve_here, place, &fault);
    place->inside--;
    place->relay = outer_relay;
    place->relay_context = outer_context;
    place->mark = outer_mark;
    give_verdict(place, end, &fault);
}

/* ---- Life -------------------------------------------------------------------------------------- */

static void *resolve(void *context, const char *symbol)
{
    const struct cordon_place *place = context;
    return exits_instead(place->resolve(place->resolve_context, symbol));
}

struct provide {
    struct cordon_place *place;
    struct provision *provision;
    struct message *why;
    int r;
};

static void provide(void *context)
{
    struct provide *provide = context;
    provide->r = provision_execute(provide->provision, provide->place->engine, provide->why);
}

/* The provision, guarded: symbols may be found by functions of the library's. */
static int begin(struct cordon_place *place, struct provision *provision, struct message *why)
{
    struct provide run = {.place = place, .provision = provision, .why = why};
    struct fault fault = {0};
    char text[128];
    place->thread = pthread_self();
    int end = fault_guard(provide, &run, &fault);
    if (end == FAULT_NONE) {
        return run.r;
    }
    if (end < 0) {
        return message_set(why, end, "no alternate stack: %s", strerror(-end));
    }
    place->faulted = true;
    fault_describe(&fault, text, sizeof text);
    return message_set(why, -ENOEXEC, "the library faulted in this process: %s", text);
}

static int make_engine(struct cordon_place *place, const struct place_options *options,
                       struct message *why)
{
    struct serve_options serve_options = {
        .end = &place->end,
        .leave = leave,
        .leave_context = place,
        .relay = let_host_answer,
        .relay_context = place,
    };
    serve_init(&place->serve, &serve_options);
    place->resolve_context = options->resolve_context;
    place->resolve = options->resolve;
    struct engine_config config = {
        .arena = options->arena,
        .resolve_context = place,
        .resolve = resolve,
        .transport = serve_transport(&place->serve),
        .closures_max = LIMIT_CLOSURES,
        .handles_max = LIMIT_HANDLES,
        .kept_bytes_max = LIMIT_KEPT_BYTES,
        .identity = lane_identity(),
    };
    return engine_new(&config, &place->engine, why);
}

static int open_lane_ends(struct cordon_place *place, struct lane *lane)
{
    uint32_t h_bytes;
    uint32_t w_bytes;
    lane_peek_sizes(lane, &h_bytes, &w_bytes);
    place->ward = (struct lane_ward){
        .h = lane_peek_h(lane),
        .w = lane_peek_w(lane),
        .h_bytes = h_bytes,
        .w_bytes = w_bytes,
        .bell_fd = lane_peek_bell_fd(lane),
    };
    int r = lane_end_init(&place->end, lane_peek_h(lane), h_bytes, lane_peek_w(lane), w_bytes,
                          lane_peek_event_fd(lane));
    place->end.is_thread = true;
    return r;
}

int place_new(const struct place_options *options, struct cordon_place **ret_place,
              struct message *why)
{
    int r = lost_judge(why);
    if (r < 0) {
        return r;
    }
    struct cordon_place *place = calloc(1, sizeof *place);
    if (!place) {
        return message_set(why, -ENOMEM, "not enough memory for an inline worker");
    }
    atomic_store_explicit(&place->holders, 1, memory_order_relaxed);
    r = open_lane_ends(place, options->lane);
    if (r < 0) {
        (void)message_set(why, r, "the memories that came along are no lane's");
    }
    r = r < 0 ? r : make_engine(place, options, why);
    r = r < 0 ? r : begin(place, options->provision, why);
    if (r < 0) {
        place_drop(place);
        return r;
    }
    place->lane = options->lane;
    *ret_place = place;
    return 0;
}

void place_condemn(struct cordon_place *place)
{
    (void)lane_condemn(place->lane, LANE_CLOSED, 0);
}

void place_hold(struct cordon_place *place)
{
    (void)atomic_fetch_add_explicit(&place->holders, 1, memory_order_relaxed);
}

void place_leave(struct cordon_place *place)
{
    static const struct lane_death none;
    if (place && place->inside == 0 && is_over(place)) {
        place->ward.death_written = true; /* it went with the verdict */
        lane_ward_gone(&place->ward, &none);
    }
    place_drop(place);
}

void place_drop(struct cordon_place *place)
{
    /* Who is last sees what the others did. */
    if (!place || atomic_fetch_sub_explicit(&place->holders, 1, memory_order_acq_rel) > 1) {
        return;
    }
    /* A thread of the library that stands in a callback still looks at the lane. */
    bool stranded = atomic_load_explicit(&place->stranded, memory_order_relaxed);
    if (!stranded) {
        lane_close(place->lane);
        place->lane = NULL;
    }
    if (place->faulted || stranded || place->inside > 0) {
        lost_keep(&place->lost);
        return;
    }
    engine_free(place->engine);
    free(place);
}
