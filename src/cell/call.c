/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/call.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/probe.h"
#include "cell/batch.h"
#include "cell/cell.h"
#include "cell/refusal.h"
#include "cell/spare.h"

#define CHORES_WAIT_NS (100 * CLOCK_MS_NS / 1000)

/* While the call may call back, its parameters are in the scope of the callbacks that it passed. */
static void scope_enter(struct call *call)
{
    if (call->callback_count > 0) {
        callback_table_enter(&call->session->callbacks, call->callback_ids, call->callback_count,
                             call->request.words, call->scope_before);
    }
}

static void scope_leave(struct call *call)
{
    if (call->callback_count > 0) {
        callback_table_leave(&call->session->callbacks, call->callback_ids, call->callback_count,
                             call->scope_before, call->outer != NULL);
    }
}

static bool is_inline(const struct call *call)
{
    return call->session->cell->options.level == CORDON_LEVEL_INLINE;
}

static int submit(struct call *call, bool ring, struct message *why)
{
    struct cordon_session *session = call->session;
    struct station_request request = {
        .function_id = call->function->id,
        .word_count = call->request.word_count,
        .words = call->request.words,
        .room = call->has_room ? &call->room : NULL,
        .request_bytes = call->request.frame_bytes,
        .reply_fixed = call->request.reply_fixed,
        .reply_bytes_max = call->request.reply_bytes_max,
        .deadline_ns = call->deadline_ns,
    };
    call->ticket.done = &call->done;
    if (is_inline(call)) {
        scope_enter(call); /* it is executed here and now */
    }
    int r = call->outer ? station_submit_nested(session->station, &request, call->outer->ticket.seq,
                                                &call->ticket)
                        : station_submit(session->station, &request, ring, &call->ticket);
    if (is_inline(call)) {
        scope_leave(call);
    }
    if (r == -EPIPE) {
        struct station_end end;
        station_ended(session->station, &end);
        session->unbegun = end.unbegun;
        return message_set(why, CORDON_ABORTED, "the worker ended before the call was sent");
    }
    return r == 0 ? 0 : message_set(why, r, "cannot submit the call: %s", strerror(-r));
}

/* Give back what the call holds. */
static void call_over(struct call *call, bool submitted)
{
    struct cordon_session *session = call->session;
    if (call->has_room) {
        station_room_free(session->station, &call->room);
    }
    if (submitted && !call->outer) {
        station_collect(session->station, &call->ticket);
    }
    if (call->callback_count > 0) {
        callback_table_end(&session->callbacks, call->callback_ids, call->callback_count);
    }
}

/* The number of the session's worker, 0 where it has none to ask. */
static uint32_t living_number(const struct cordon_session *session)
{
    return session->station && !station_broken(session->station) ? station_number(session->station)
                                                                 : 0;
}

static int begin_once(struct call *call, bool ring, struct message *why)
{
    struct cordon_session *session = call->session;
    call->has_room = false;
    call->callback_count = 0;
    session->unbegun = false;
    int r = session_station(session, why);
    if (r == 0) {
        r = session_bind(session, call->function, why);
    }
    if (r == 0) {
        struct call *before = session->call;
        session->call = call;
        r = call_encode(call, why);
        if (r == 0) {
            r = submit(call, ring, why);
        }
        session->call = before;
        if (r != 0) {
            call_over(call, false);
        }
    }
    return r;
}

/* A worker that was found dead, and was there before the call, is replaced: once. */
static int begin(struct call *call, bool ring, struct message *why)
{
    struct cordon_session *session = call->session;
    uint32_t number = living_number(session);
    int r = begin_once(call, ring, why);
    if (r != 0 && session->unbegun && session->depth == 0 && session->station &&
        (station_number(session->station) == number || session->is_promoted)) {
        r = begin_once(call, ring, why);
    }
    if (r < 0) {
        session_count(&session->counts.refused);
    } else if (r > 0) {
        session_count(&session->counts.ended[r & 7]);
    }
    return r;
}

int call_begin(struct call *call, bool ring, struct message *why)
{
    struct cordon_session *session = call->session;
    call->may_resend = false;
    call->pass = (struct gate_pass){0};
    session->retry_after_ms = 0;
    session_count(&session->counts.calls);
    recycle_aside(session);
    /* What is called from inside a callback belongs to the call that passed. */
    int r = session->depth == 0 ? session_weather(session, why) : 0;
    r = r == 0 && session->depth == 0 ? gate_ask(session, call->function, &call->pass, why) : r;
    if (r != 0) {
        session_count(&session->counts.ended[r & 7]);
        return r;
    }
    r = begin(call, ring, why);
    if (r != 0) {
        gate_tell(session, call->function, &call->pass, r);
        return r;
    }
    recycle_sent(session);
    return 0;
}

static int await(struct call *call, uint64_t until_ns, struct station_reply *ret_reply,
                 struct station_end *ret_end)
{
    int r = station_await(call->session->station, &call->ticket, call->function->record->out_words,
                          until_ns, call->deadline_ns, ret_reply, ret_end);
    call->ticket.came = NULL; /* an event is answered once, however often this waits */
    return r;
}

/*
 * Chores are done while the worker is at a call. A call that is answered at once - the first one of a
 * fresh worker, for whose sake there are spares - leaves them to the next.
 */
static int await_beside_chores(struct call *call, uint64_t until_ns,
                               struct station_reply *ret_reply, struct station_end *ret_end)
{
    struct cordon_session *session = call->session;
    if (!session->has_chores || session->depth > 0) {
        return await(call, until_ns, ret_reply, ret_end);
    }
    if (!session->chores_waited) {
        uint64_t soon_ns = clock_after_ns(CHORES_WAIT_NS);
        int r = await(call, soon_ns < until_ns ? soon_ns : until_ns, ret_reply, ret_end);
        if (r != STATION_EXPIRED || until_ns <= soon_ns) {
            session->chores_waited = true;
            return r;
        }
    }
    session_tend(session);
    return await(call, until_ns, ret_reply, ret_end);
}

int call_end(struct call *call, uint64_t until_ns, struct cordon_result *ret_result)
{
    struct cordon_session *session = call->session;
    struct station_reply reply;
    struct station_end end;
    struct call *before = session->call;
    session->call = call;
    if (!is_inline(call)) {
        scope_enter(call);
    }
    int r = await_beside_chores(call, until_ns, &reply, &end);
    if (!is_inline(call)) {
        scope_leave(call);
    }
    session->call = before;
    if (r == STATION_EXPIRED) {
        return -ETIME;
    }
    if (r == STATION_ENDED && end.unbegun && call->may_resend) {
        call_over(call, true);
        return -ERESTART;
    }
    if (r == STATION_ENDED) {
        spare_nudge(session->cell);
    }
    ret_result->owned = NULL;
    ret_result->error_number = 0;
    ret_result->signal = 0;
    ret_result->exit_status = 0;
    ret_result->report = 0;
    ret_result->unbegun = false;
    if (r == STATION_ENDED) {
        r = call_ended(call, &end, ret_result);
    } else if (reply.status != 0) {
        r = refusal(&reply, plan_name(call->function->plan, call->function->record->name),
                    call_error(ret_result));
        if (r == CORDON_STALE) {
            call_name_handles(call->function, call->args, call->count, call_error(ret_result));
        }
    } else if (session->callback_error != 0 && !call->outer) {
        /* Nothing is decoded: outputs stay as they are, and what is owned is not made. */
        r = message_set(call_error(ret_result), session->callback_error, "a callback failed: %s",
                        strerror(-session->callback_error));
    } else {
        r = call_decode(call, &reply, ret_result);
    }
    ret_result->violations = violations_take(&session->violations);
    call_over(call, true);
    PROBE2(outcome, call->function->id, r);
    gate_tell(session, call->function, &call->pass, r);
    if (r >= 0) {
        session_count(&session->counts.ended[r & 7]);
    } else {
        session_count(&session->counts.refused);
    }
    if (!call->outer) {
        session->callback_error = 0;
    }
    return r == -ETIME ? -ETIMEDOUT : r; /* -ETIME is "not yet", and nobody's to say but ours */
}

int call_resend(struct call *call, uint64_t until_ns, struct cordon_result *ret_result)
{
    call->may_resend = false;
    recycle_aside(call->session); /* the worker that it was sent to has not begun it */
    int r = begin(call, true, call_error(ret_result));
    if (r != 0) {
        gate_tell(call->session, call->function, &call->pass, r);
        return r;
    }
    recycle_sent(call->session);
    return call_end(call, until_ns, ret_result);
}

int call_perform(struct cordon_session *session, const struct cordon_function *function,
                 const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                 struct cordon_result *ret_result)
{
    struct call call;
    int entered = session_enter_queue(session, deadline_ns);
    if (entered < 0) {
        return session_busy(session, entered, &ret_result->retry_after_ms, call_error(ret_result));
    }
    call.session = session;
    call.function = function;
    call.args = args;
    call.count = count;
    call.deadline_ns = deadline_ns;
    call.outer = NULL;
    if (entered == 1) {
        call.outer = session->call;
        if (call.outer && call.outer->deadline_ns < deadline_ns) {
            call.deadline_ns = call.outer->deadline_ns;
        }
    }
    if (entered == 0 && session->pending_count >= CORDON_BATCH_MAX) {
        (void)batch_settle_all(session, deadline_ns); /* another thread's: there is no slot left */
    }
    int r = call_begin(&call, true, call_error(ret_result));
    if (r == 0) {
        if (entered == 0 && session->pending) {
            (void)batch_settle_all(session, call.deadline_ns);
        }
        call.may_resend = entered == 0 && !session->pending;
        r = call_end(&call, CLOCK_NEVER, ret_result);
        r = r == -ERESTART ? call_resend(&call, CLOCK_NEVER, ret_result) : r;
    }
    ret_result->retry_after_ms = r == CORDON_OPEN ? session->retry_after_ms : 0;
    session_leave(session);
    return r;
}
