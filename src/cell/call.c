/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/probe.h"
#include "cell/batch.h"
#include "cell/cell.h"
#include "cell/refusal.h"
#include "cell/spare.h"
#include "report/capture.h"

#define CHORES_WAIT_NS (100 * CLOCK_MS_NS / 1000)

_Static_assert(sizeof(struct cordon_error) == sizeof(struct message),
               "an error and a message are the same text");

static struct message *error_message(struct cordon_result *result)
{
    return result ? (struct message *)(void *)&result->error : NULL;
}

static uint32_t saturating_add(uint32_t a, uint64_t b)
{
    return b > UINT32_MAX - 1u - a ? UINT32_MAX - 1u : a + (uint32_t)b;
}

/* Bytes that the arguments of a flat function may take, each way; generous by alignment. */
static uint32_t flat_bytes(const struct call *call)
{
    const struct cordon_function *function = call->function;
    uint32_t bytes = sizeof(struct frame_header) + 2 * CORDON_PLAN_WORDS_MAX * sizeof(uint64_t);
    for (uint32_t i = 0; i < function->record->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(function->plan, function->record, i);
        if (param->position >= call->count || param->passing != CORDON_PLAN_PASS_BYTES) {
            continue;
        }
        const struct cordon_plan_type *type = plan_type(function->plan, param->type);
        const struct cordon_plan_type *target =
            type->target != CORDON_PLAN_NONE ? plan_type(function->plan, type->target) : type;
        uint64_t size = type->kind == CORDON_PLAN_STRING || target->size == 0 ? 1 : target->size;
        uint64_t count = call->args[param->position].count;
        uint64_t most = count < UINT32_MAX ? size * (count + 1) : UINT32_MAX;
        bytes = saturating_add(bytes, most + 2 * FRAME_ALIGN);
    }
    return bytes;
}

/*
 * A place for the call's bytes: alone in flight it may use all there is, and gives back what it does
 * not need; beside others it must say before how much.
 */
static int take_room(struct call *call, struct message *why)
{
    struct cordon_session *session = call->session;
    bool alone = session->pending_count == 0 && session->depth == 0;
    uint32_t request = UINT32_MAX;
    uint32_t reply = UINT32_MAX;
    uint32_t share = session->cell->options.call_bytes / 16u;
    if (!alone) {
        uint32_t flat = flat_bytes(call);
        request = call->function->flat || flat > share ? flat : share;
        reply = call->function->dynamic ? saturating_add(flat, LIMIT_DYNAMIC_ROOM) : request;
    }
    int r = station_room_new(session->station, request, reply, &call->room);
    if (r != 0) {
        return message_set(why, r,
                           r == -E2BIG
                               ? "the arguments take more than the limit of %u bytes of one "
                                 "call (call_bytes)"
                               : "the calls in flight leave no room in the %u bytes of the "
                                 "lane (call_bytes)",
                           session->cell->options.call_bytes);
    }
    call->has_room = true;
    return 0;
}

/* A refusal's sentence comes where the reply would: it is cut where that ends. */
static void leave_room_for_sentence(struct call *call)
{
    struct frame_request *request = &call->request;
    uint32_t most = MESSAGE_BYTES < call->room.reply_bytes ? MESSAGE_BYTES : call->room.reply_bytes;
    if (request->frame_bytes > 0 && request->reply_bytes_max < most) {
        struct frame_header header;
        memcpy(&header, call->room.request, sizeof header);
        request->reply_bytes_max = header.reply_bytes_max = most;
        memcpy(call->room.request, &header, sizeof header);
    }
}

static int encode(struct call *call, struct message *why)
{
    struct cordon_session *session = call->session;
    const struct cordon_function *function = call->function;
    call->space.request = NULL;
    call->space.request_bytes = 0;
    call->space.reply_bytes = 0;
    call->space.arena.base = session->arena ? arena_base(session->arena) : 0;
    call->space.arena.bytes = session->arena ? arena_bytes(session->arena) : 0;
    call->space.outer.plan = NULL;
    if (!function->mailbox) {
        int r = take_room(call, why);
        if (r != 0) {
            return r;
        }
        call->space.request = call->room.request;
        call->space.request_bytes = call->room.request_bytes;
        call->space.reply_bytes = call->room.reply_bytes;
    }
    int r = frame_encode(function->plan, 0, function->id, call->args, call->count, &session->hooks,
                         &call->space, &call->request, why);
    if (r != 0) {
        return r == -ESTALE ? CORDON_STALE : r;
    }
    if (call->has_room) {
        leave_room_for_sentence(call);
        station_room_shrink(session->station, &call->room, call->request.frame_bytes,
                            call->request.reply_bytes_max);
    }
    return 0;
}

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
        r = encode(call, why);
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
    }
    return r;
}

static int decode(struct call *call, const struct station_reply *reply,
                  struct cordon_result *ret_result)
{
    const struct cordon_function *function = call->function;
    struct frame_result result;
    result.owned = NULL;
    int r = frame_decode(function->plan, 0, call->args, call->count, &call->session->hooks,
                         &call->space, &call->request, reply->words, reply->reply, &result,
                         error_message(ret_result));
    if (r == -EBADMSG) {
        station_condemn(call->session->station, LANE_LIED);
        return CORDON_CRASHED;
    }
    if (r != 0) {
        return r;
    }
    ret_result->value = result.value;
    ret_result->owned = result.owned;
    ret_result->error_number = reply->error_number;
    ret_result->signal = 0;
    ret_result->exit_status = 0;
    if (result.value.kind == CORDON_VALUE_MEMORY && result.value.memory == result.small) {
        memcpy(ret_result->small, result.small, sizeof result.small);
        ret_result->value.memory = ret_result->small;
    }
    return CORDON_DONE;
}

/* Ends in this process: a fault, which the first call to learn of it reports, and calls that are late. */
static bool reports_here(const struct call *call, const struct station_end *end)
{
    const struct cordon_cell *cell = call->session->cell;
    if (cell->options.level == CORDON_LEVEL_PROCESS || !cell->reporting.card) {
        return false;
    }
    return end->outcome == CORDON_TIMEOUT ||
           (end->outcome == CORDON_CRASHED && (end->signal != 0 || end->exited) &&
            atomic_load_explicit(&cell->state, memory_order_acquire) == CELL_OPEN);
}

/* Returns the report's id, or 0. */
static uint64_t report_here(const struct call *call, const struct station_end *end)
{
    if (!reports_here(call, end)) {
        return 0;
    }
    const struct cordon_cell *cell = call->session->cell;
    bool late = end->outcome == CORDON_TIMEOUT;
    struct message missing;
    struct reporting_end told = {
        .why = late          ? CAPTURE_WHY_HANG
               : end->exited ? CAPTURE_WHY_EXIT
                             : CAPTURE_WHY_CRASH,
        .ended = !late,
        .level = cell->options.level,
        .function = plan_name(call->function->plan, call->function->record->name),
        .signal = end->signal,
        .exit_status = end->exit_status,
        .text = end->why.text,
        .deadline_ns = call->deadline_ns,
    };
    station_testify(call->session->station, call->ticket.seq, late, &told, &missing);
    return reporting_write_end(&cell->reporting, &told);
}

static int ended(struct call *call, const struct station_end *end, struct cordon_result *ret_result)
{
    uint64_t report = end->report != 0 ? end->report : report_here(call, end);
    cell_note_outcome(call->session->cell, end->outcome);
    ret_result->signal = end->signal;
    ret_result->exit_status = end->exit_status;
    ret_result->report = report;
    ret_result->unbegun = end->unbegun;
    if (report != 0) {
        /* Relaxed: a number of its own. */
        atomic_store_explicit(&call->session->report, report, memory_order_relaxed);
    }
    *error_message(ret_result) = end->why;
    return end->outcome;
}

void call_name_handles(const struct cordon_function *function, const struct cordon_value *args,
                       size_t count, struct message *why)
{
    const char *before = " (";
    for (uint32_t i = 0; i < function->record->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(function->plan, function->record, i);
        if (param->position >= count || args[param->position].kind != CORDON_VALUE_HANDLE) {
            continue;
        }
        message_add(why, "%sargument %u '%s'", before, param->position + 1u,
                    plan_name(function->plan, param->name));
        before = ", ";
    }
    if (before[0] == ',') {
        message_add(why, ")");
    }
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
        r = ended(call, &end, ret_result);
    } else if (reply.status != 0) {
        r = refusal(&reply, plan_name(call->function->plan, call->function->record->name),
                    error_message(ret_result));
        if (r == CORDON_STALE) {
            call_name_handles(call->function, call->args, call->count, error_message(ret_result));
        }
    } else if (session->callback_error != 0 && !call->outer) {
        /* Nothing is decoded: outputs stay as they are, and what is owned is not made. */
        r = message_set(error_message(ret_result), session->callback_error, "a callback failed: %s",
                        strerror(-session->callback_error));
    } else {
        r = decode(call, &reply, ret_result);
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

int call_resend(struct call *call, struct cordon_result *ret_result)
{
    call->may_resend = false;
    int r = begin(call, true, error_message(ret_result));
    if (r != 0) {
        gate_tell(call->session, call->function, &call->pass, r);
        return r;
    }
    return call_end(call, CLOCK_NEVER, ret_result);
}

int call_perform(struct cordon_session *session, const struct cordon_function *function,
                 const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                 struct cordon_result *ret_result)
{
    struct call call;
    int entered = session_enter_queue(session, deadline_ns);
    if (entered < 0) {
        return session_busy(session, entered, &ret_result->retry_after_ms,
                            error_message(ret_result));
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
    int r = call_begin(&call, true, error_message(ret_result));
    if (r == 0) {
        if (entered == 0 && session->pending) {
            (void)batch_settle_all(session, call.deadline_ns);
        }
        call.may_resend = entered == 0 && !session->pending;
        r = call_end(&call, CLOCK_NEVER, ret_result);
        r = r == -ERESTART ? call_resend(&call, ret_result) : r;
    }
    ret_result->retry_after_ms = r == CORDON_OPEN ? session->retry_after_ms : 0;
    session_leave(session);
    return r;
}
