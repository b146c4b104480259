/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/probe.h"
#include "cell/cell.h"
#include "cell/quick.h"
#include "cell/station_internal.h"

#define ARGS_INLINE 8u
#define WATCH_EACH  16u /* of the calls in flight */

struct cordon_pending {
    struct cordon_pending *previous;
    struct cordon_pending *next;
    bool settled;
    bool quick; /* submitted quickly: its answer may be taken so */
    bool bare;  /* and of `call` only that is written what this needs */
    int outcome;
    struct call call;
    struct cordon_value args_small[ARGS_INLINE];
    struct cordon_value *args; /* args_small, or allocated */
    struct cordon_result result;
};

struct cordon_session *batch_session(const struct cordon_pending *pending)
{
    return pending->call.session;
}

static struct cordon_pending *pending_take(struct cordon_session *session)
{
    struct cordon_pending *pending = session->pending_free;
    if (pending) {
        session->pending_free = pending->next;
    } else {
        pending = malloc(sizeof *pending);
    }
    return pending;
}

static void pending_give(struct cordon_session *session, struct cordon_pending *pending)
{
    if (pending->args != pending->args_small) {
        /* Detached first: each once. NOLINTNEXTLINE(clang-analyzer-*) */
        free(pending->args);
    }
    pending->next = session->pending_free;
    session->pending_free = pending;
}

static int copy_args(struct cordon_pending *pending, const struct cordon_value *args, size_t count)
{
    pending->args = pending->args_small;
    if (count > ARGS_INLINE) {
        pending->args = malloc(count * sizeof *args);
        if (!pending->args) {
            pending->args = pending->args_small;
            return -ENOMEM;
        }
    }
    if (count > 0) {
        memcpy(pending->args, args, count * sizeof *args);
    }
    return 0;
}

static void append(struct cordon_session *session, struct cordon_pending *pending)
{
    pending->settled = false;
    pending->next = NULL;
    pending->previous = session->pending_last;
    if (session->pending_last) {
        session->pending_last->next = pending;
    } else {
        session->pending = pending;
    }
    session->pending_last = pending;
    session->pending_count++;
}

static void detach(struct cordon_session *session, struct cordon_pending *pending)
{
    if (pending->previous) {
        pending->previous->next = pending->next;
    } else {
        session->pending = pending->next;
    }
    if (pending->next) {
        pending->next->previous = pending->previous;
    } else {
        session->pending_last = pending->previous;
    }
    session->pending_count--;
}

/*
 * The keeper is told of deadlines. Of a batch's calls, that end one behind the other, it knows the first, and looks at all of them
 * when that ends: it need not be told of each (a locked instruction: 3-5 of 115 ns a call). The first is, and every
 * WATCH_EACH-th; of the others batch_watch(), when they are sent off or waited for.
 */
static void watch(struct cordon_session *session, uint64_t deadline_ns, bool quick)
{
    if (deadline_ns == CLOCK_NEVER) {
        return;
    }
    if (quick && session->pending_count % WATCH_EACH != 1 &&
        lane_seems_watched(session->station->lane, deadline_ns)) {
        session->unwatched_ns =
            deadline_ns < session->unwatched_ns ? deadline_ns : session->unwatched_ns;
        return;
    }
    station_watch(session->station, deadline_ns);
}

void batch_watch(struct cordon_session *session)
{
    uint64_t deadline_ns = session->unwatched_ns;
    session->unwatched_ns = CLOCK_NEVER;
    if (deadline_ns != CLOCK_NEVER &&
        session->station) { /* it may have been settled, and its station closed */
        station_watch(session->station, deadline_ns);
    }
}

static int submitted(struct cordon_session *session, struct cordon_pending *pending, bool quick,
                     struct cordon_pending **ret_pending)
{
    pending->quick = quick;
    append(session, pending);
    watch(session, pending->call.deadline_ns, quick);
    *ret_pending = pending;
    return 0;
}

/* What its answer may not need. */
static void complete(struct cordon_pending *pending)
{
    struct call *call = &pending->call;
    if (pending->bare) {
        pending->bare = false;
        quick_call_init(call, call->session, call->function, call->deadline_ns, call->ticket.seq);
        call->args = NULL;
        call->count = 0;
    }
}

/*
 * Submit a scalar call without the general call's machinery; NULL: take the general way.
 * Bought: 112 instead of 157 ns a call in batches of 64 (`cordon bench batch`).
 */
static struct cordon_pending *submit_quickly(struct cordon_session *session,
                                             const struct cordon_function *function,
                                             const struct cordon_value *args, size_t count,
                                             uint64_t deadline_ns)
{
    struct lane_message message;
    uint32_t seq;
    if (!quick_encode(function, args, count, &message) || !quick_is_ready(session, function)) {
        return NULL;
    }
    struct cordon_pending *pending = pending_take(session);
    if (!pending) {
        return NULL;
    }
    pending->args = pending->args_small;
    if (lane_submit(session->station->lane, &message, deadline_ns, false, &seq) != 0) {
        pending_give(session, pending);
        return NULL;
    }
    session_count(&session->counts.calls);
    pending->bare = true;
    pending->call.session = session;
    pending->call.function = function;
    pending->call.deadline_ns = deadline_ns;
    pending->call.ticket.seq = seq;
    return pending;
}

int batch_submit(struct cordon_session *session, const struct cordon_function *function,
                 const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                 struct cordon_pending **ret_pending, struct message *why)
{
    if (session->pending_count >= CORDON_BATCH_MAX) {
        return message_set(why, -EAGAIN,
                           "%d calls are in flight, the most of one session (CORDON_BATCH_MAX)",
                           CORDON_BATCH_MAX);
    }
    if (session->depth > 0) {
        return message_set(why, -EDEADLK, "a batch cannot be submitted from inside a callback");
    }
    struct cordon_pending *pending = submit_quickly(session, function, args, count, deadline_ns);
    if (pending) {
        return submitted(session, pending, true, ret_pending);
    }
    pending = pending_take(session);
    if (!pending) {
        return message_set(why, -ENOMEM, "not enough memory for a call");
    }
    struct call *call = &pending->call;
    pending->bare = false;
    call->session = session;
    call->function = function;
    call->count = count;
    call->deadline_ns = deadline_ns;
    call->outer = NULL;
    int r = copy_args(pending, args, count);
    call->args = pending->args;
    if (r == 0) {
        r = call_begin(call, false, why);
    }
    if (r != 0) {
        pending_give(session, pending);
        return r;
    }
    return submitted(session, pending, false, ret_pending);
}

static int settle(struct cordon_pending *pending, uint64_t until_ns)
{
    struct call *call = &pending->call;
    if (pending->settled) {
        return 0;
    }
    complete(pending);
    call->may_resend = call->may_resend && !pending->previous && !pending->next;
    int outcome = call_end(call, until_ns, &pending->result);
    if (outcome == -ERESTART) {
        /* Not in flight while its session gets another worker, which settles all that is. */
        struct cordon_session *session = call->session;
        pending->quick = false;
        detach(session, pending);
        outcome = call_resend(call, until_ns, &pending->result);
        append(session, pending);
    }
    if (outcome == -ETIME) {
        return -ETIME;
    }
    pending->outcome = outcome;
    pending->settled = true;
    return 0;
}

int batch_settle_all(struct cordon_session *session, uint64_t until_ns)
{
    for (struct cordon_pending *p = session->pending; p; p = p->next) {
        int r = settle(p, until_ns);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

/* Hand a settled call's result over; the text only where there is one. */
static int hand_over(struct cordon_session *session, struct cordon_pending *pending,
                     struct cordon_result *ret_result)
{
    struct cordon_result *from = &pending->result;
    int outcome = pending->outcome;
    detach(session, pending);
    if (!ret_result) {
        if (outcome == CORDON_DONE) {
            cordon_result_release(from);
        }
    } else if (outcome == CORDON_DONE) {
        ret_result->value = from->value;
        ret_result->error_number = from->error_number;
        ret_result->signal = 0;
        ret_result->exit_status = 0;
        ret_result->violations = from->violations;
        ret_result->owned = from->owned;
        if (from->value.kind == CORDON_VALUE_MEMORY && from->value.memory == from->small) {
            memcpy(ret_result->small, from->small, sizeof from->small);
            ret_result->value.memory = ret_result->small;
        }
    } else {
        *ret_result = *from;
    }
    pending_give(session, pending);
    return outcome;
}

/* The oldest call's plain answer, straight to the caller. False: nothing was taken, or it is kept. */
static bool collect_quickly(struct cordon_session *session, struct cordon_pending *pending,
                            uint64_t until_ns, struct cordon_result *ret_result)
{
    struct call *call = &pending->call;
    struct station *station = session->station;
    struct lane_event event;
    uint64_t wait_ns = until_ns < call->deadline_ns ? until_ns : call->deadline_ns;
    if (!pending->quick || pending->settled || pending != session->pending || !ret_result ||
        session->depth > 0 ||
        lane_await(station->lane, call->ticket.seq, wait_ns, station_check, station, &event) !=
            LANE_CAME) {
        return false;
    }
    if (!quick_decode(call->function, &event, ret_result)) {
        complete(pending);
        call->ticket.came = &event;
        (void)settle(pending, CLOCK_NEVER);
        call->ticket.came = NULL; /* the event ends here, the call stays to be collected */
        return false;
    }
    ret_result->violations = violations_take(&session->violations);
    lane_collect(station->lane, call->ticket.seq);
    session_count(&session->counts.ended[CORDON_DONE]);
    PROBE2(outcome, call->function->id, CORDON_DONE);
    detach(session, pending);
    pending_give(session, pending);
    return true;
}

static int refuse_inside(struct message *why)
{
    return message_set(why, -EDEADLK, "a batch cannot be collected from inside a callback");
}

int batch_collect(struct cordon_pending *pending, uint64_t until_ns,
                  struct cordon_result *ret_result)
{
    struct cordon_session *session = pending->call.session;
    batch_watch(session);
    if (collect_quickly(session, pending, until_ns, ret_result)) {
        return CORDON_DONE;
    }
    if (session->depth > 0 && !pending->settled) {
        /* The worker is in the call that called back, and begins no other before that has ended. */
        return refuse_inside(ret_result ? (struct message *)(void *)&ret_result->error : NULL);
    }
    for (struct cordon_pending *p = session->pending; p && !pending->settled; p = p->next) {
        if (settle(p, until_ns) != 0) {
            return -ETIME;
        }
    }
    return hand_over(session, pending, ret_result);
}

int batch_collect_any(struct cordon_session *session, uint64_t until_ns,
                      struct cordon_pending **ret_pending)
{
    struct cordon_pending *oldest = session->pending;
    batch_watch(session);
    if (session->depth > 0 && oldest && !oldest->settled) {
        return refuse_inside(NULL);
    }
    if (session->station) {
        station_drain_event(
            session->station); /* a death may have rung though nothing is in flight */
    }
    if (!oldest) {
        return -ENOENT;
    }
    if (settle(oldest, until_ns) != 0) {
        return -ETIME;
    }
    *ret_pending = oldest;
    return 0;
}

/* ---- Calls whose answers may come soon ----------------------------------------------------------- */

bool batch_make_spare(struct cordon_session *session)
{
    struct cordon_pending *pending = pending_take(session);
    if (pending) {
        pending->args = pending->args_small;
        pending_give(session, pending);
    }
    return pending != NULL;
}

struct cordon_pending *batch_take(struct cordon_session *session)
{
    struct cordon_pending *pending = pending_take(session);
    pending->args = pending->args_small;
    return pending;
}

struct call *batch_call(struct cordon_pending *pending)
{
    return &pending->call;
}

int batch_keep(struct cordon_pending *pending, const struct cordon_value *args, size_t count,
               const struct lane_event *came, struct cordon_pending **ret_pending,
               struct cordon_result *ret_result)
{
    static_assert(QUICK_PARAMS_MAX <= ARGS_INLINE, "a quick call's arguments need no memory");
    struct call *call = &pending->call;
    pending->bare = false;
    memcpy(pending->args_small, args, count * sizeof *args);
    call->args = pending->args_small;
    call->count = count;
    call->ticket.came = came;
    (void)submitted(call->session, pending, !call->has_room && !came, ret_pending);
    return came ? batch_collect(pending, LANE_SPIN, ret_result) : -ETIME;
}

/* Returns 0; -EBUSY: inside a callback, or not now. */
static int enter_for_call(struct cordon_session *session, uint64_t deadline_ns, bool turn,
                          struct cordon_result *ret_result)
{
    struct message *why = call_error(ret_result);
    if (!turn || session_is_mine(session)) {
        return session_try_enter(session)
                   ? 0
                   : message_set(why, -EBUSY, "another thread is in the session");
    }
    int entered = session_enter_queue(session, deadline_ns);
    return entered < 0 ? session_busy(session, entered, &ret_result->retry_after_ms, why) : 0;
}

int batch_call_soon(struct cordon_session *session, const struct cordon_function *function,
                    const struct cordon_value *args, size_t count, uint64_t deadline_ns, bool turn,
                    struct cordon_pending **ret_pending, struct cordon_result *ret_result)
{
    struct message *why = call_error(ret_result);
    struct cordon_pending *pending;
    int r = enter_for_call(session, deadline_ns, turn, ret_result);
    if (r != 0) {
        return r;
    }
    r = session->pending && !turn ? -EBUSY : session_is_ready(session, function) ? 0 : -ENOTCONN;
    if (r == 0 && !session->station->lane) {
        r = -EBUSY; /* level inline: the function runs on this thread, for as long as it takes */
    }
    if (r != 0) {
        r = message_set(why, r, "the session is not ready for a call that is answered soon");
    } else {
        if (!session->quiet) {
            (void)session_set_ringing(session, false);
        }
        r = batch_submit(session, function, args, count, deadline_ns, &pending, why);
        ret_result->retry_after_ms = r == CORDON_OPEN ? session->retry_after_ms : 0;
    }
    if (r == 0) {
        complete(pending);
        if (pending->quick) { /* it took none along */
            memcpy(pending->args_small, args, count * sizeof *args);
            pending->call.args = pending->args_small;
            pending->call.count = count;
        }
        pending->call.may_resend = true;
        station_ring(session->station);
        *ret_pending = pending;
        r = batch_collect(pending, LANE_SPIN, ret_result);
    }
    session_leave(session);
    return r;
}

void batch_free(struct cordon_session *session)
{
    while (session->pending) {
        struct cordon_pending *pending = session->pending;
        if (pending->settled && pending->outcome == CORDON_DONE) {
            cordon_result_release(&pending->result);
        }
        detach(session, pending);
        pending_give(session, pending);
    }
    while (session->pending_free) {
        /* Each is in the list once. NOLINTNEXTLINE(clang-analyzer-*) */
        struct cordon_pending *next = session->pending_free->next;
        free(session->pending_free);
        session->pending_free = next;
    }
}
