/* SPDX-License-Identifier: Apache-2.0 */
/* How a call ended, in its caller's words: by a reply, or by the end of its worker. */
#include "cell/call.h"

#include <errno.h>
#include <string.h>

#include "cell/cell.h"
#include "report/capture.h"

_Static_assert(sizeof(struct cordon_error) == sizeof(struct message),
               "an error and a message are the same text");

struct message *call_error(struct cordon_result *result)
{
    return result ? (struct message *)(void *)&result->error : NULL;
}

int call_decode(struct call *call, const struct station_reply *reply,
                struct cordon_result *ret_result)
{
    const struct cordon_function *function = call->function;
    struct frame_result result;
    result.owned = NULL;
    int r = frame_decode(function->plan, 0, call->args, call->count, &call->session->hooks,
                         &call->space, &call->request, reply->words, reply->reply, &result,
                         call_error(ret_result));
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

int call_ended(struct call *call, const struct station_end *end, struct cordon_result *ret_result)
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
    *call_error(ret_result) = end->why;
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
