/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway_worker.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cordon/batch.h"
#include "cordon/function.h"
#include "cordon/outcome.h"
#include "cordon/session.h"
#include "cordon/violation.h"
#include "json/plan_view.h"

/* These are libcordon's; here they are the script's. */

struct cordon_pending {
    struct cordon_function *function;
    const struct cordon_value *args;
    size_t count;
    uint32_t looks; /* for nothing, until it ends */
};

struct cordon_session {
    uint32_t worker;
};

static struct {
    const uint8_t *script;
    size_t bytes;
    size_t at;
    uint32_t open;   /* calls */
    uint32_t worker; /* numbers that never come again */
    uint32_t index;  /* of handles */
} play;

void worker_begin(const uint8_t *script, size_t bytes)
{
    play.script = script;
    play.bytes = bytes;
    play.at = 0;
}

void worker_end(void)
{
    assert(play.open == 0);
}

uint64_t worker_now_ns(void)
{
    return clock_after_ns(7200 * CLOCK_SECOND_NS);
}

/* The script, again and again. */
static uint8_t next(void)
{
    return play.bytes > 0 ? play.script[play.at++ % play.bytes] : 0;
}

int cordon_session_open(struct cordon_cell *cell, struct cordon_session **ret_session,
                        struct cordon_error *ret_error)
{
    (void)cell, (void)ret_error;
    *ret_session = calloc(1, sizeof **ret_session);
    return *ret_session ? 0 : -ENOMEM;
}

int cordon_session_close(struct cordon_session *session)
{
    free(session);
    return 0;
}

struct cordon_session *cordon_session_current(struct cordon_cell *cell)
{
    static struct cordon_session shared;
    (void)cell;
    return &shared;
}

/* In a thread of the loop's pool: it always goes well. */
int cordon_session_prepare(struct cordon_session *session, struct cordon_function *const *functions,
                           size_t count, uint32_t *ret_retry_ms, struct cordon_error *ret_error)
{
    (void)functions, (void)count, (void)ret_retry_ms, (void)ret_error;
    session->worker = __atomic_add_fetch(&play.worker, 1, __ATOMIC_RELAXED);
    return 0;
}

int cordon_session_event_fd(struct cordon_session *session)
{
    (void)session;
    return -1;
}

int cordon_session_worker_pid(struct cordon_session *session)
{
    return (int)session->worker;
}

int cordon_session_ring(struct cordon_session *session, bool on)
{
    (void)session, (void)on;
    return 1; /* look at once: the loop does not sleep */
}

void cordon_flush(struct cordon_session *session)
{
    (void)session;
}

size_t cordon_session_violations(struct cordon_session *session,
                                 struct cordon_violation *ret_violations, size_t most,
                                 uint64_t *ret_ever)
{
    (void)session, (void)ret_violations, (void)most;
    *ret_ever = 0;
    return 0;
}

void cordon_result_release(struct cordon_result *result)
{
    free(result->owned);
    result->owned = NULL;
}

int cordon_submit_ready(struct cordon_session *session, struct cordon_function *function,
                        const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                        struct cordon_pending **ret_pending, struct cordon_result *ret_refusal)
{
    uint8_t how = next();
    (void)session, (void)deadline_ns;
    memset(ret_refusal, 0, sizeof *ret_refusal);
    if (how >= 240) {
        static const int refusals[] = {-ENOTCONN,    -EAGAIN,     -EINVAL,
                                       CORDON_STALE, CORDON_OPEN, CORDON_BUSY};
        (void)snprintf(ret_refusal->error.text, sizeof ret_refusal->error.text, "not \xff now");
        return refusals[how % (sizeof refusals / sizeof refusals[0])];
    }
    struct cordon_pending *pending = calloc(1, sizeof *pending);
    assert(pending);
    *pending = (struct cordon_pending){function, args, count, how % 4};
    *ret_pending = pending;
    play.open++;
    return 0;
}

int cordon_collect_any(struct cordon_session *session, uint64_t until_ns,
                       struct cordon_pending **ret_pending)
{
    (void)session, (void)until_ns, (void)ret_pending;
    return -ENOENT;
}

/* ---- What a function leaves -------------------------------------------------------------------- */

static struct cordon_handle handle_of(uint32_t tag)
{
    return (struct cordon_handle){1, 1, play.index++ % 16, tag};
}

static void leave_output(const struct plan_view *plan, const struct cordon_plan_type *type,
                         const struct cordon_value *value)
{
    const struct cordon_plan_type *target = view_target(plan, type);
    if (type->kind == CORDON_PLAN_POINTER && target->kind == CORDON_PLAN_HANDLE) {
        struct cordon_handle handle =
            next() % 3 ? handle_of(target->tag) : (struct cordon_handle){0};
        memcpy(value->memory, &handle, sizeof handle);
    } else {
        size_t bytes = value->count * (type->kind == CORDON_PLAN_STRING ? 1 : target->size);
        memset(value->memory, next(), bytes);
    }
}

static void leave_outputs(const struct cordon_pending *pending, const struct plan_view *plan)
{
    for (uint32_t i = 0; i < view_function(plan)->param_count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        const struct cordon_plan_type *type = view_type(plan, param->type);
        if (param->position != CORDON_PLAN_NO_WORD && param->position < pending->count &&
            view_is_memory(type) && type->direction != CORDON_PLAN_IN &&
            pending->args[param->position].kind == CORDON_VALUE_MEMORY) {
            leave_output(plan, type, &pending->args[param->position]);
        }
    }
}

static void leave_result(const struct cordon_plan_type *type, struct cordon_result *result)
{
    switch (type->kind) {
    case CORDON_PLAN_VOID:
        break;
    case CORDON_PLAN_F32:
    case CORDON_PLAN_F64:
        result->value = cordon_float(next() / 3.0);
        break;
    case CORDON_PLAN_STRING:
        result->owned = calloc(1, 16);
        memset(result->owned, next(), next() % 16);
        result->value = cordon_in(result->owned, strlen(result->owned));
        break;
    case CORDON_PLAN_STRUCT:
        result->value = cordon_in(result->small, 1);
        break;
    case CORDON_PLAN_HANDLE:
        result->value = next() % 5 ? cordon_object(handle_of(type->tag)) : cordon_null();
        break;
    default:
        result->value =
            type->kind == CORDON_PLAN_BOOL ? cordon_bool(next() & 1) : cordon_int(next());
        break;
    }
}

int cordon_collect(struct cordon_pending *pending, uint64_t until_ns,
                   struct cordon_result *ret_result)
{
    static const int ends[] = {CORDON_CRASHED, CORDON_TIMEOUT, CORDON_ABORTED,
                               CORDON_DENIED,  CORDON_STALE,   -ENOMEM};
    size_t bytes;
    (void)until_ns;
    if (pending->looks > 0) {
        pending->looks--;
        return -ETIME;
    }
    uint8_t how = next();
    const struct plan_view *plan = cordon_function_plan(pending->function, &bytes);
    int outcome = how < 180 ? CORDON_DONE : ends[how % (sizeof ends / sizeof ends[0])];
    memset(ret_result, 0, sizeof *ret_result);
    if (outcome == CORDON_DONE) {
        leave_outputs(pending, plan);
        leave_result(view_type(plan, view_function(plan)->result.type), ret_result);
        ret_result->violations = how % 2;
    } else {
        (void)snprintf(ret_result->error.text, sizeof ret_result->error.text, "it ended \xc3\x28");
        ret_result->unbegun = how % 3 == 0;
        ret_result->signal = how % 2 ? 11 : 0;
        ret_result->report = how;
        ret_result->retry_after_ms = how % 7;
    }
    play.open--;
    free(pending);
    return outcome;
}
