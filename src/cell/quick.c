/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/quick.h"

#include "cell/call.h"
#include "cell/cell.h"
#include "cell/quick_scalar.h"
#include "cell/session.h"
#include "cell/station_internal.h"
#include "frame/plain.h"

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
    struct quick_value length;
    if (!frame_plain_array(plan, record, index, &plain)) {
        return false;
    }
    const struct cordon_plan_param *by = plan_function_param(plan, record, plain.length_param);
    *ret_value = (struct quick_value){.kind = QUICK_BYTES,
                                      .count_word = (uint8_t)plain.length_param,
                                      .shift = (uint8_t)__builtin_ctz(plain.element_bytes)};
    if (!(by->flags & CORDON_PLAN_FILLED) || by->filled_by != index ||
        !scalar_of(plan_type(plan, by->type), &length)) {
        return false;
    }
    ret_value->most = length.most;
    return true;
}

static bool prepare_param(struct quick *quick, const struct plan *plan,
                          const struct cordon_plan_function *record, uint32_t i)
{
    const struct cordon_plan_param *param = plan_function_param(plan, record, i);
    if (param->in_word != i || param->out_word != CORDON_PLAN_NO_WORD) {
        return false;
    }
    if (param->flags & CORDON_PLAN_FILLED) {
        quick->filled_count++;
        return param->passing == CORDON_PLAN_PASS_WORD;
    }
    struct quick_value *value = &quick->args[param->position];
    if (param->passing == CORDON_PLAN_PASS_BYTES) {
        quick->array_count++;
        if (!array_of(plan, record, i, value)) {
            return false;
        }
    } else if (param->passing != CORDON_PLAN_PASS_WORD ||
               !scalar_of(plan_type(plan, param->type), value)) {
        return false;
    }
    value->word = (uint8_t)i;
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
    if (quick->filled_count != quick->array_count) {
        return; /* a length that nobody gives */
    }
    quick->param_count = (uint8_t)record->param_count;
    quick->passed_count = (uint8_t)record->passed_count;
    quick->is_short = quick->array_count > 0 && quick->param_count < LANE_WORDS;
    quick->able = true;
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
    if (!quick->able || quick->array_count > 0 || count != quick->passed_count) {
        return false;
    }
    *ret_message = (struct lane_message){.verb = LANE_CALL, .tag = function->id};
    for (uint32_t i = 0; i < count; i++) {
        const struct quick_value *to = &quick->args[i];
        if (!quick_encode_scalar(to, &args[i], &ret_message->words[to->word])) {
            return false;
        }
    }
    return true;
}

bool quick_decode(const struct cordon_function *function, const struct lane_event *event,
                  struct cordon_result *ret_result)
{
    if (event->verb != LANE_RETURN || event->status != 0 ||
        !quick_decode_scalar(&function->quick.result, event->words[0], &ret_result->value)) {
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
