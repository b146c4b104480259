/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/call.h"

#include <errno.h>
#include <stdlib.h>

#include "api/text.h"
#include "base/clock.h"
#include "cell/batch.h"
#include "cell/cell.h"
#include "cell/quick.h"

uint64_t cordon_after_ms(uint64_t timeout_ms)
{
    return timeout_ms >= UINT64_MAX / CLOCK_MS_NS ? CORDON_NEVER
                                                  : clock_after_ns(timeout_ms * CLOCK_MS_NS);
}

static uint64_t resolve_deadline(const struct cordon_cell *cell, uint64_t deadline_ns)
{
    return deadline_ns == CORDON_DEFAULT ? cell_deadline_ns(cell) : deadline_ns;
}

/* The worker that an argument's object lives in, or 0. */
static uint32_t worker_of(const struct cordon_value *args, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (args[i].kind == CORDON_VALUE_HANDLE && args[i].handle.worker != 0) {
            return args[i].handle.worker;
        }
    }
    return 0;
}

static int perform(struct cordon_session *session, const struct cordon_function *function,
                   const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                   struct cordon_result *ret_result)
{
    int r = quick_perform(session, function, args, count, deadline_ns, ret_result);
    return r != QUICK_NOT ? r
                          : call_perform(session, function, args, count,
                                         resolve_deadline(session->cell, deadline_ns), ret_result);
}

/* Whatever happens, releasing the result is harmless. */
static void empty(struct cordon_result *ret_result)
{
    ret_result->owned = NULL;
    ret_result->signal = 0;
    ret_result->exit_status = 0;
    ret_result->error_number = 0;
    ret_result->retry_after_ms = 0;
    ret_result->violations = 0;
    ret_result->report = 0;
    ret_result->unbegun = true; /* until it is on its way */
}

static int judge(const struct cordon_cell *cell, const struct cordon_value *args, size_t count,
                 struct message *why)
{
    return count > 0 && !args ? message_set(why, -EINVAL, "%zu arguments, but args is NULL", count)
                              : cell_usable(cell, why);
}

/* Where a call without a session goes: to the worker of its handles, else to this thread's. */
static int choose_session(const struct cordon_function *function, const struct cordon_value *args,
                          size_t count, struct cordon_session **ret_session, struct message *why)
{
    uint32_t worker = function->has_handles ? worker_of(args, count) : 0;
    if (worker == 0) {
        return cell_session(function->cell, ret_session, why);
    }
    *ret_session = cell_session_of_worker(function->cell, worker);
    if (!*ret_session) {
        (void)message_set(why, CORDON_STALE, "the worker that a handle names is gone");
        call_name_handles(function, args, count, why);
        return CORDON_STALE;
    }
    return 0;
}

int cordon_call(struct cordon_function *function, const struct cordon_value *args, size_t count,
                uint64_t deadline_ns, struct cordon_result *ret_result)
{
    struct cordon_session *session = NULL;
    empty(ret_result);
    int r = judge(function->cell, args, count, text_of(&ret_result->error));
    r = r != 0 ? r : choose_session(function, args, count, &session, text_of(&ret_result->error));
    return r != 0 ? r : perform(session, function, args, count, deadline_ns, ret_result);
}

static int refuse_other_cell(struct cordon_result *ret_result)
{
    return message_set(text_of(&ret_result->error), -EINVAL,
                       "the function is bound in another cell than the session's");
}

int cordon_session_call(struct cordon_session *session, struct cordon_function *function,
                        const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                        struct cordon_result *ret_result)
{
    empty(ret_result);
    int r = judge(session->cell, args, count, text_of(&ret_result->error));
    if (r != 0) {
        return r;
    }
    if (function->cell != session->cell) {
        return refuse_other_cell(ret_result);
    }
    return perform(session, function, args, count, deadline_ns, ret_result);
}

static int call_soon(struct cordon_function *function, struct cordon_session *session,
                     const struct cordon_value *args, size_t count, uint64_t deadline_ns, bool turn,
                     struct cordon_pending **ret_pending, struct cordon_result *ret_result)
{
    empty(ret_result);
    int r = judge(function->cell, args, count, text_of(&ret_result->error));
    if (r != 0) {
        return r;
    }
    if (session && session->cell != function->cell) {
        return refuse_other_cell(ret_result);
    }
    r = session ? 0 : choose_session(function, args, count, &session, text_of(&ret_result->error));
    if (r != 0) {
        return r;
    }
    r = quick_perform_soon(session, function, args, count, deadline_ns, ret_pending, ret_result);
    return r != QUICK_NOT ? r
                          : batch_call_soon(session, function, args, count,
                                            resolve_deadline(function->cell, deadline_ns), turn,
                                            ret_pending, ret_result);
}

int cordon_call_soon(struct cordon_function *function, struct cordon_session *session,
                     const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                     struct cordon_pending **ret_pending, struct cordon_result *ret_result)
{
    return call_soon(function, session, args, count, deadline_ns, false, ret_pending, ret_result);
}

int cordon_call_turn(struct cordon_function *function, struct cordon_session *session,
                     const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                     struct cordon_pending **ret_pending, struct cordon_result *ret_result)
{
    return call_soon(function, session, args, count, deadline_ns, true, ret_pending, ret_result);
}

void cordon_on_wait(int (*look)(void *context), void *context)
{
    session_on_wait(&(struct line_look){.look = look, .context = context});
}

void cordon_result_release(struct cordon_result *result)
{
    free(result->owned);
    result->owned = NULL;
}
