/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/quick.h"

#include <string.h>

#include "base/clock.h"
#include "base/probe.h"
#include "cell/call.h"
#include "cell/cell.h"
#include "cell/session.h"
#include "cell/station_internal.h"

static bool scalar_of(const struct cordon_plan_type *type, struct quick_scalar *ret_scalar)
{
    static const struct quick_scalar scalars[CORDON_PLAN_KIND_COUNT] = {
        [CORDON_PLAN_I8] = {QUICK_INT, INT8_MIN, INT8_MAX},
        [CORDON_PLAN_U8] = {QUICK_UINT, 0, UINT8_MAX},
        [CORDON_PLAN_I16] = {QUICK_INT, INT16_MIN, INT16_MAX},
        [CORDON_PLAN_U16] = {QUICK_UINT, 0, UINT16_MAX},
        [CORDON_PLAN_I32] = {QUICK_INT, INT32_MIN, INT32_MAX},
        [CORDON_PLAN_U32] = {QUICK_UINT, 0, UINT32_MAX},
        [CORDON_PLAN_I64] = {QUICK_INT, INT64_MIN, INT64_MAX},
        [CORDON_PLAN_U64] = {QUICK_UINT, 0, UINT64_MAX},
        [CORDON_PLAN_F32] = {QUICK_F32, 0, 0},
        [CORDON_PLAN_F64] = {QUICK_F64, 0, 0},
    };
    *ret_scalar = scalars[type->kind];
    return ret_scalar->kind != QUICK_NOTHING;
}

void quick_prepare(struct quick *quick, const struct plan *plan,
                   const struct cordon_plan_function *record)
{
    quick->able = false;
    if (!(record->flags & CORDON_PLAN_MAILBOX) || record->param_count > CORDON_PLAN_MAILBOX_WORDS) {
        return;
    }
    for (uint32_t i = 0; i < record->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(plan, record, i);
        if (param->flags != 0 || param->in_word != i || param->out_word != CORDON_PLAN_NO_WORD ||
            !scalar_of(plan_type(plan, param->type), &quick->args[i])) {
            return;
        }
    }
    const struct cordon_plan_type *result = plan_type(plan, record->result.type);
    quick->result.kind = QUICK_NOTHING;
    if (result->kind != CORDON_PLAN_VOID && !scalar_of(result, &quick->result)) {
        return;
    }
    quick->count = (uint8_t)record->param_count;
    quick->able = true;
}

/* False: it does not fit, or needs a look. */
static bool encode_scalar(const struct quick_scalar *scalar, const struct cordon_value *value,
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
        return value->kind == CORDON_VALUE_FLOAT && ((double)narrow == value->f);
    default:
        return false;
    }
}

/* False: the worker's word is impossible for the type. */
static bool decode_scalar(const struct quick_scalar *scalar, uint64_t word,
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

bool quick_is_ready(const struct cordon_session *session, const struct cordon_function *function)
{
    return session->station && session->station->lane &&
           (session->bound[function->id / 64] >> (function->id % 64) & 1) != 0;
}

bool quick_encode(const struct cordon_function *function, const struct cordon_value *args,
                  size_t count, struct lane_message *ret_message)
{
    const struct quick *quick = &function->quick;
    if (!quick->able || count != quick->count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!encode_scalar(&quick->args[i], &args[i], &ret_message->words[i])) {
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
    call->callback_count = 0;
    call->ticket.seq = seq;
    call->ticket.room = NULL;
    call->ticket.reply_bytes_max = 0;
    call->ticket.came = NULL;
    call->space.arena = (struct frame_arena){0};
    call->request.reply_bytes_max = 0;
}

/* Something else than a plain answer came, or nothing: the general way goes on with it. */
static int end_generally(struct cordon_session *session, const struct cordon_function *function,
                         const struct cordon_value *args, uint64_t deadline_ns, uint32_t seq,
                         const struct lane_event *came, struct cordon_result *ret_result)
{
    struct call call;
    quick_call_init(&call, session, function, deadline_ns, seq);
    call.args = args;
    call.count = function->quick.count;
    call.ticket.came = came;
    return call_end(&call, CLOCK_NEVER, ret_result);
}

static int exchange(struct cordon_session *session, const struct cordon_function *function,
                    const struct lane_message *message, const struct cordon_value *args,
                    uint64_t deadline_ns, struct cordon_result *ret_result)
{
    struct station *station = session->station;
    struct lane_event event;
    uint32_t seq;
    if (lane_submit(station->lane, message, deadline_ns, true, &seq) != 0) {
        return QUICK_NOT;
    }
    session_count(&session->counts.calls);
    int r = lane_await(station->lane, seq, deadline_ns, station_check, station, &event);
    if (r != LANE_CAME || !quick_decode(function, &event, ret_result)) {
        return end_generally(session, function, args, deadline_ns, seq,
                             r == LANE_CAME ? &event : NULL, ret_result);
    }
    lane_collect(station->lane, seq);
    session_count(&session->counts.ended[CORDON_DONE]);
    PROBE2(outcome, function->id, CORDON_DONE);
    return CORDON_DONE;
}

int quick_perform(struct cordon_session *session, const struct cordon_function *function,
                  const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                  struct cordon_result *ret_result)
{
    struct lane_message message;
    if (!quick_encode(function, args, count, &message) || !session_try_enter(session)) {
        return QUICK_NOT;
    }
    int r = QUICK_NOT;
    if (quick_is_ready(session, function) && !session->pending) {
        r = exchange(session, function, &message, args, deadline_ns, ret_result);
    }
    session_leave(session);
    return r;
}
