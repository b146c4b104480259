/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/batch.h"

#include <errno.h>

#include "api/text.h"
#include "base/clock.h"
#include "cell/cell.h"

static int judge(const struct cordon_session *session, const struct cordon_function *function,
                 const struct cordon_value *args, size_t count, struct message *why)
{
    int r = cell_usable(session->cell, why);
    if (r != 0) {
        return r;
    }
    if (count > 0 && !args) {
        return message_set(why, -EINVAL, "%zu arguments, but args is NULL", count);
    }
    return function->cell == session->cell
               ? 0
               : message_set(why, -EINVAL,
                             "the function is bound in another cell than the session's");
}

int cordon_submit(struct cordon_session *session, struct cordon_function *function,
                  const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                  struct cordon_pending **ret_pending, struct cordon_error *ret_error)
{
    int r = judge(session, function, args, count, text_of(ret_error));
    if (r != 0) {
        return r;
    }
    if (deadline_ns == CORDON_DEFAULT) {
        deadline_ns = cell_deadline_ns(session->cell);
    }
    int entered = session_enter_queue(session, deadline_ns);
    if (entered < 0) {
        return session_busy(session, entered, NULL, text_of(ret_error));
    }
    r = batch_submit(session, function, args, count, deadline_ns, ret_pending, text_of(ret_error));
    session_leave(session);
    return r;
}

int cordon_submit_ready(struct cordon_session *session, struct cordon_function *function,
                        const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                        struct cordon_pending **ret_pending, struct cordon_result *ret_refusal)
{
    struct message *why = ret_refusal ? text_of(&ret_refusal->error) : NULL;
    int r = judge(session, function, args, count, why);
    if (r != 0) {
        return r;
    }
    if (deadline_ns == CORDON_DEFAULT) {
        deadline_ns = cell_deadline_ns(session->cell);
    }
    if (!session_try_enter(session)) {
        return message_set(why, -EBUSY, "another thread is in the session");
    }
    r = session_is_ready(session, function)
            ? batch_submit(session, function, args, count, deadline_ns, ret_pending, why)
            : message_set(why, -ENOTCONN, "the session has no worker that is ready");
    if (ret_refusal) {
        ret_refusal->retry_after_ms = r == CORDON_OPEN ? session->retry_after_ms : 0;
    }
    session_leave(session);
    return r;
}

void cordon_flush(struct cordon_session *session)
{
    if (cell_usable(session->cell, NULL) != 0 || session_enter(session, CLOCK_NEVER) < 0) {
        return;
    }
    if (session->station) {
        batch_watch(session);
        station_ring(session->station);
    }
    session_leave(session);
}

struct cordon_session *cordon_pending_session(const struct cordon_pending *pending)
{
    return batch_session(pending);
}

/* Who only looks does not wait for another thread, either. */
static bool enter_to_collect(struct cordon_session *session, uint64_t until_ns)
{
    return until_ns > CORDON_SOON || session_is_mine(session)
               ? session_enter_looking(session, CLOCK_NEVER) >= 0
               : session_try_enter(session);
}

int cordon_collect(struct cordon_pending *pending, uint64_t until_ns,
                   struct cordon_result *ret_result)
{
    struct cordon_session *session = batch_session(pending);
    if (ret_result) {
        ret_result->owned = NULL;
        ret_result->violations = 0;
    }
    if (cell_usable(session->cell, NULL) == -ECHILD) {
        return message_set(ret_result ? text_of(&ret_result->error) : NULL, -ECHILD,
                           "calls do not survive fork()");
    }
    if (!enter_to_collect(session, until_ns)) {
        return -ETIME;
    }
    int r = batch_collect(pending, until_ns, ret_result);
    session_leave(session);
    return r;
}

int cordon_collect_any(struct cordon_session *session, uint64_t until_ns,
                       struct cordon_pending **ret_pending)
{
    if (cell_usable(session->cell, NULL) == -ECHILD) {
        return -ECHILD;
    }
    if (!enter_to_collect(session, until_ns)) {
        return -ETIME;
    }
    int r = batch_collect_any(session, until_ns, ret_pending);
    session_leave(session);
    return r;
}

int cordon_session_ring(struct cordon_session *session, bool on)
{
    if (cell_usable(session->cell, NULL) != 0 || !session_try_enter(session)) {
        return on;
    }
    bool look = session_set_ringing(session, on);
    session_leave(session);
    return look;
}

int cordon_session_event_fd(struct cordon_session *session)
{
    return session->events;
}
