/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/quick.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/probe.h"
#include "cell/batch.h"
#include "cell/call.h"
#include "cell/cell.h"
#include "cell/session.h"
#include "cell/station_internal.h"
#include "frame/plain.h"

#define REPLY_FIXED FRAME_ALIGN /* a reply's first bytes are never a place */
#define AHEAD_BYTES 2048u
#define REPLY_BYTES 1024u /* for the sentence of a refusal */

static bool scalar_of(const struct cordon_plan_type *type, struct quick_value *ret_value)
{
    static const struct quick_value scalars[CORDON_PLAN_KIND_COUNT] = {
        [CORDON_PLAN_I8] = {.kind = QUICK_INT, .least = INT8_MIN, .most = INT8_MAX},
        [CORDON_PLAN_U8] = {.kind = QUICK_UINT, .most = UINT8_MAX},
        [CORDON_PLAN_I16] = {.kind = QUICK_INT, .least = INT16_MIN, .most = INT16_MAX},
        [CORDON_PLAN_U16] = {.kind = QUICK_UINT, .most = UINT16_MAX},
        [CORDON_PLAN_I32] = {.kind = QUICK_INT, .least = INT32_MIN, .most = INT32_MAX},
        [CORDON_PLAN_U32] = {.kind = QUICK_UINT, .most = UINT32_MAX},
        [CORDON_PLAN_I64] = {.kind = QUICK_INT, .least = INT64_MIN, .most = INT64_MAX},
        [CORDON_PLAN_U64] = {.kind = QUICK_UINT, .most = UINT64_MAX},
        [CORDON_PLAN_F32] = {.kind = QUICK_F32},
        [CORDON_PLAN_F64] = {.kind = QUICK_F64},
    };
    *ret_value = scalars[type->kind];
    return ret_value->kind != QUICK_NOTHING;
}

/* A plain array whose length callers do not pass. */
static bool array_of(const struct plan *plan, const struct cordon_plan_function *record,
                     uint32_t index, struct quick_value *ret_value)
{
    struct frame_plain plain;
    if (!frame_plain_array(plan, record, index, &plain)) {
        return false;
    }
    const struct cordon_plan_param *by = plan_function_param(plan, record, plain.length_param);
    *ret_value = (struct quick_value){.kind = QUICK_BYTES, .element_bytes = plain.element_bytes};
    return (by->flags & CORDON_PLAN_FILLED) && by->filled_by == index;
}

static bool prepare_param(struct quick *quick, const struct plan *plan,
                          const struct cordon_plan_function *record, uint32_t i)
{
    const struct cordon_plan_param *param = plan_function_param(plan, record, i);
    struct quick_value *value = &quick->params[i];
    if (param->in_word != i || param->out_word != CORDON_PLAN_NO_WORD) {
        return false;
    }
    if (param->passing == CORDON_PLAN_PASS_BYTES) {
        quick->bytes = true;
        if (!array_of(plan, record, i, value)) {
            return false;
        }
    } else if (param->passing != CORDON_PLAN_PASS_WORD ||
               !scalar_of(plan_type(plan, param->type), value)) {
        return false;
    }
    value->position = (uint8_t)param->position;
    if (param->flags & CORDON_PLAN_FILLED) {
        value->kind = QUICK_LENGTH;
        value->of = (uint8_t)param->filled_by;
        return param->filled_by < record->param_count;
    }
    return true;
}

void quick_prepare(struct quick *quick, const struct plan *plan,
                   const struct cordon_plan_function *record)
{
    const struct cordon_plan_type *result = plan_type(plan, record->result.type);
    *quick = (struct quick){.able = false};
    if (record->param_count > QUICK_PARAMS_MAX || record->out_words > 1 ||
        (record->flags & CORDON_PLAN_VARIADIC) ||
        (result->kind != CORDON_PLAN_VOID &&
         (record->result.passing != CORDON_PLAN_PASS_WORD || !scalar_of(result, &quick->result)))) {
        return;
    }
    for (uint32_t i = 0; i < record->param_count; i++) {
        if (!prepare_param(quick, plan, record, i)) {
            return;
        }
    }
    quick->param_count = (uint8_t)record->param_count;
    quick->passed_count = (uint8_t)record->passed_count;
    quick->is_short = quick->bytes && quick->param_count < LANE_WORDS;
    quick->able = true;
}

/* False: it does not fit, or needs a look. */
static bool encode_scalar(const struct quick_value *scalar, const struct cordon_value *value,
                          uint64_t *ret_word)
{
    float narrow;
    switch (scalar->kind) {
    case QUICK_INT:
        *ret_word = value->u;
        return (value->kind == CORDON_VALUE_INT && value->i >= scalar->least &&
                (value->i < 0 || value->u <= scalar->most)) ||
               (value->kind == CORDON_VALUE_UINT && value->u <= scalar->most);
    case QUICK_UINT:
        *ret_word = value->u;
        return (value->kind == CORDON_VALUE_UINT ||
                (value->kind == CORDON_VALUE_INT && value->i >= 0)) &&
               value->u <= scalar->most;
    case QUICK_F64:
        *ret_word = value->u;
        return value->kind == CORDON_VALUE_FLOAT;
    case QUICK_F32:
        narrow = (float)value->f;
        *ret_word = 0;
        memcpy(ret_word, &narrow, sizeof narrow);
        return value->kind == CORDON_VALUE_FLOAT && (double)narrow == value->f;
    default:
        return false;
    }
}

/* False: the worker's word is impossible for the type. */
static bool decode_scalar(const struct quick_value *scalar, uint64_t word,
                          struct cordon_value *ret_value)
{
    float narrow;
    *ret_value = cordon_null();
    ret_value->u = word;
    switch (scalar->kind) {
    case QUICK_NOTHING:
        ret_value->u = 0;
        return true;
    case QUICK_INT:
        ret_value->kind = CORDON_VALUE_INT;
        return ret_value->i >= scalar->least && (ret_value->i < 0 || word <= scalar->most);
    case QUICK_UINT:
        ret_value->kind = CORDON_VALUE_UINT;
        return word <= scalar->most;
    case QUICK_F32:
        ret_value->kind = CORDON_VALUE_FLOAT;
        memcpy(&narrow, &word, sizeof narrow);
        ret_value->f = (double)narrow;
        return word <= UINT32_MAX;
    default:
        ret_value->kind = CORDON_VALUE_FLOAT;
        return true;
    }
}

/*
 * Nothing has failed lately, and the worker is not to be looked at: all that this way pays for the gate
 * and for recycling.
 */
static inline bool is_quiet(const struct cordon_session *session)
{
    /* Relaxed: a failure that this call overtakes is met by the next one. */
    return atomic_load_explicit(&session->cell->gate.turn, memory_order_relaxed) ==
               session->gate_seen &&
           !session->has_chores &&
           atomic_load_explicit(&session->counts.calls, memory_order_relaxed) -
                   session->recycle.aside <
               session->recycle.look_at;
}

bool quick_is_ready(const struct cordon_session *session, const struct cordon_function *function)
{
    return is_quiet(session) && session->station && session->station->lane &&
           station_is_calm(session->station) &&
           (session->bound[function->id / 64] >> (function->id % 64) & 1) != 0;
}

bool quick_encode(const struct cordon_function *function, const struct cordon_value *args,
                  size_t count, struct lane_message *ret_message)
{
    const struct quick *quick = &function->quick;
    if (!quick->able || quick->bytes || count != quick->passed_count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!encode_scalar(&quick->params[i], &args[i], &ret_message->words[i])) {
            return false;
        }
    }
    ret_message->verb = LANE_CALL;
    ret_message->tag = function->id;
    ret_message->word_count = (uint32_t)count;
    ret_message->status_bytes = 0;
    return true;
}

bool quick_decode(const struct cordon_function *function, const struct lane_event *event,
                  struct cordon_result *ret_result)
{
    if (event->verb != LANE_RETURN || event->status != 0 ||
        !decode_scalar(&function->quick.result, event->words[0], &ret_result->value)) {
        return false;
    }
    ret_result->error_number = (int)event->tag;
    ret_result->signal = 0;
    ret_result->exit_status = 0;
    ret_result->owned = NULL;
    return true;
}

void quick_call_init(struct call *call, struct cordon_session *session,
                     const struct cordon_function *function, uint64_t deadline_ns, uint32_t seq)
{
    call->session = session;
    call->function = function;
    call->deadline_ns = deadline_ns;
    call->outer = NULL;
    call->has_room = false;
    call->may_resend = false;
    call->pass = (struct gate_pass){0};
    call->callback_count = 0;
    call->ticket.seq = seq;
    call->ticket.room = NULL;
    call->ticket.reply_bytes_max = 0;
    call->ticket.came = NULL;
    call->space.arena = (struct frame_arena){0};
    call->request.reply_bytes_max = 0;
    call->request.given_depth = 0; /* nothing of memory is looked at again */
}

/* A call in progress: what went out, in case that the general way has to end it. */
struct outgoing {
    struct cordon_session *session;
    const struct cordon_function *function;
    const struct cordon_value *args;
    uint64_t deadline_ns;
    const struct station_room *room; /* NULL: only words */
    const uint64_t *words;           /* of the frame in the room */
    uint32_t frame_bytes;            /* 0: no frame, arrays alone */
    struct cordon_pending *pending;  /* for a call whose answer does not come soon; NULL: awaited */
    struct cordon_pending **ret_pending;
};

/* @call as the general way would have it. */
static void make_general(const struct outgoing *out, uint32_t seq, struct call *call)
{
    const struct quick *quick = &out->function->quick;
    quick_call_init(call, out->session, out->function, out->deadline_ns, seq);
    call->args = out->args;
    call->count = quick->passed_count;
    if (out->room) {
        call->room = *out->room;
        call->has_room = true;
    }
    if (out->frame_bytes > 0) {
        call->ticket.room = &call->room;
        call->ticket.reply_bytes_max = call->room.reply_bytes;
        call->space.request = call->room.request;
        call->space.request_bytes = call->room.request_bytes;
        call->space.reply_bytes = call->room.reply_bytes;
        call->request.word_count = quick->param_count;
        call->request.frame_bytes = out->frame_bytes;
        call->request.reply_fixed = REPLY_FIXED;
        call->request.reply_bytes_max = call->room.reply_bytes;
        memcpy(call->request.words, out->words, quick->param_count * sizeof out->words[0]);
    }
    call->may_resend = true;
}

/* Something else than a plain answer came, or nothing: the general way goes on with it. */
static int end_generally(const struct outgoing *out, uint32_t seq, const struct lane_event *came,
                         struct cordon_result *ret_result)
{
    struct call call;
    if (out->pending) {
        make_general(out, seq, batch_call(out->pending));
        return batch_keep(out->pending, out->args, out->function->quick.passed_count, came,
                          out->ret_pending, ret_result);
    }
    make_general(out, seq, &call);
    call.ticket.came = came;
    int r = call_end(&call, CLOCK_NEVER, ret_result);
    return r == -ERESTART ? call_resend(&call, CLOCK_NEVER, ret_result) : r;
}

/* The room, if there is one, is given back in any case but QUICK_NOT, or goes with a call that is kept. */
static int exchange(const struct outgoing *out, const struct lane_message *message,
                    struct cordon_result *ret_result)
{
    struct cordon_session *session = out->session;
    struct station *station = session->station;
    struct lane_event event;
    uint32_t seq;
    if (lane_submit(station->lane, message, out->deadline_ns, true, &seq) != 0) {
        return QUICK_NOT;
    }
    session_count(&session->counts.calls);
    uint64_t until_ns = out->pending ? LANE_SPIN : out->deadline_ns;
    int r = lane_await(station->lane, seq, until_ns, station_check, station, &event);
    if (r != LANE_CAME || !quick_decode(out->function, &event, ret_result)) {
        return end_generally(out, seq, r == LANE_CAME ? &event : NULL, ret_result);
    }
    if (out->room) {
        lane_room_free(station->lane, &out->room->lane);
    }
    ret_result->violations = violations_take(&session->violations);
    lane_collect(station->lane, seq);
    session_count(&session->counts.ended[CORDON_DONE]);
    PROBE2(outcome, out->function->id, CORDON_DONE);
    if (out->pending) {
        batch_unreserve(session, out->pending);
    }
    return CORDON_DONE;
}

static uint32_t align_frame(uint32_t at)
{
    return (at + FRAME_ALIGN - 1) & ~(FRAME_ALIGN - 1u);
}

/* Words, with places for the arrays from @at on; where they end. False: not so simple. */
static bool lay_out(const struct cordon_session *session, const struct quick *quick,
                    const struct cordon_value *args, uint32_t at, uint64_t *ret_words,
                    uint32_t *ret_bytes)
{
    uint32_t limit = session->cell->options.call_bytes;
    for (uint32_t i = 0; i < quick->param_count; i++) {
        const struct quick_value *param = &quick->params[i];
        if (param->kind == QUICK_LENGTH) {
            /* The array's own position names its count: judged there, or no array at all. */
            ret_words[i] = args[quick->params[param->of].position].count;
            if (quick->params[param->of].kind != QUICK_BYTES || ret_words[i] > param->most) {
                return false;
            }
        } else if (param->kind == QUICK_BYTES) {
            const struct cordon_value *value = &args[param->position];
            if (value->kind != CORDON_VALUE_MEMORY || !value->memory || value->count == 0 ||
                value->count > (limit - at) / param->element_bytes ||
                (session->arena && arena_check(session->arena, value->memory, 1))) {
                return false;
            }
            ret_words[i] = at;
            at = align_frame(at + (uint32_t)value->count * param->element_bytes);
            if (at > limit) {
                return false;
            }
        } else if (!encode_scalar(param, &args[param->position], &ret_words[i])) {
            return false;
        }
    }
    *ret_bytes = at;
    return true;
}

/* The worker has read these lines: they come back at once, not one after the other. */
static void claim_ahead(const uint8_t *frame, uint32_t bytes)
{
    uint32_t ahead = bytes < AHEAD_BYTES ? bytes : AHEAD_BYTES;
    for (uint32_t at = 0; at < ahead; at += LANE_LINE) {
        cpu_claim(frame + at);
    }
}

static void write_arrays(const struct quick *quick, const struct cordon_value *args,
                         const uint64_t *words, uint8_t *memory)
{
    for (uint32_t i = 0; i < quick->param_count; i++) {
        const struct quick_value *param = &quick->params[i];
        if (param->kind == QUICK_BYTES) {
            const struct cordon_value *value = &args[param->position];
            memcpy(memory + words[i], value->memory, value->count * param->element_bytes);
        }
    }
}

static void write_frame(const struct cordon_function *function, const struct cordon_value *args,
                        const uint64_t *words, uint32_t bytes, uint8_t *frame)
{
    const struct quick *quick = &function->quick;
    struct frame_header header = {
        .magic = FRAME_MAGIC,
        .version = FRAME_VERSION,
        .word_count = quick->param_count,
        .frame_bytes = bytes,
        .function_id = function->id,
        .layout_hash = plan_header(function->plan)->layout_hash,
        .reply_fixed = REPLY_FIXED,
        .reply_bytes_max = REPLY_BYTES,
    };
    memcpy(frame, &header, sizeof header);
    memcpy(frame + sizeof header, words, quick->param_count * sizeof words[0]);
    write_arrays(quick, args, words, frame);
}

/* @out: with session, function, arguments and deadline. QUICK_NOT: nothing has happened. */
static int perform_bytes(struct outgoing *out, struct cordon_result *ret_result)
{
    const struct cordon_function *function = out->function;
    struct station *station = out->session->station;
    uint32_t start = align_frame(sizeof(struct frame_header) + function->quick.param_count * 8u);
    uint64_t words[QUICK_PARAMS_MAX];
    struct station_room room;
    uint32_t bytes;
    if (!lay_out(out->session, &function->quick, out->args, start, words, &bytes) ||
        station_room_new(station, bytes, REPLY_BYTES, &room) != 0) {
        return QUICK_NOT;
    }
    claim_ahead(room.request, bytes);
    write_frame(function, out->args, words, bytes, room.request);
    struct lane_message message = {
        .verb = LANE_CALL_BYTES,
        .tag = function->id,
        .word_count = 2,
        .words = {lane_place(room.lane.h_at, bytes), lane_place(room.lane.w_at, REPLY_BYTES)},
    };
    out->room = &room;
    out->words = words;
    out->frame_bytes = bytes;
    int r = exchange(out, &message, ret_result);
    out->room = NULL; /* they end here */
    out->words = NULL;
    if (r == QUICK_NOT) {
        station_room_free(station, &room);
    }
    return r;
}

/* The words travel in the mail line: no header, no room for a reply. */
static int perform_short(struct outgoing *out, struct cordon_result *ret_result)
{
    struct station *station = out->session->station;
    const struct quick *quick = &out->function->quick;
    struct lane_message message = {
        .verb = LANE_CALL_SHORT, .tag = out->function->id, .word_count = 1u + quick->param_count};
    struct station_room room;
    uint32_t bytes;
    if (!lay_out(out->session, quick, out->args, 0, message.words + 1, &bytes) ||
        station_room_new(station, bytes, 0, &room) != 0) {
        return QUICK_NOT;
    }
    claim_ahead(room.request, bytes);
    write_arrays(quick, out->args, message.words + 1, room.request);
    message.words[0] = lane_place(room.lane.h_at, bytes);
    out->room = &room;
    int r = exchange(out, &message, ret_result);
    out->room = NULL; /* it ends here */
    if (r == QUICK_NOT) {
        station_room_free(station, &room);
    }
    return r;
}

static int perform_words(struct outgoing *out, size_t count, struct cordon_result *ret_result)
{
    struct lane_message message;
    return quick_encode(out->function, out->args, count, &message)
               ? exchange(out, &message, ret_result)
               : QUICK_NOT;
}

/* With the session held. */
static int perform(struct outgoing *out, size_t count, struct cordon_result *ret_result)
{
    const struct quick *quick = &out->function->quick;
    if (!quick_is_ready(out->session, out->function) || out->session->pending) {
        return QUICK_NOT;
    }
    return quick->is_short ? perform_short(out, ret_result)
           : quick->bytes  ? perform_bytes(out, ret_result)
                           : perform_words(out, count, ret_result);
}

int quick_perform(struct cordon_session *session, const struct cordon_function *function,
                  const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                  struct cordon_result *ret_result)
{
    const struct quick *quick = &function->quick;
    struct outgoing out = {
        .session = session, .function = function, .args = args, .deadline_ns = deadline_ns};
    if (!quick->able || count != quick->passed_count || !session_try_enter(session)) {
        return QUICK_NOT;
    }
    int r = perform(&out, count, ret_result);
    session_leave(session);
    return r;
}

int quick_perform_soon(struct cordon_session *session, const struct cordon_function *function,
                       const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                       struct cordon_pending **ret_pending, struct cordon_result *ret_result)
{
    const struct quick *quick = &function->quick;
    struct outgoing out = {.session = session,
                           .function = function,
                           .args = args,
                           .deadline_ns = deadline_ns,
                           .ret_pending = ret_pending};
    if (!quick->able || count != quick->passed_count || !session_try_enter(session)) {
        return QUICK_NOT;
    }
    int r = QUICK_NOT;
    if (session->quiet || session->events < 0) {
        out.pending = batch_reserve(session);
        r = out.pending ? perform(&out, count, ret_result) : QUICK_NOT;
        if (r == QUICK_NOT && out.pending) {
            batch_unreserve(session, out.pending);
        }
    }
    session_leave(session);
    return r;
}
