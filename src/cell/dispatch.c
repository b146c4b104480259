/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/dispatch.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cell/batch.h"
#include "cell/call.h"
#include "cell/cell.h"
#include "cell/refusal.h"

/*
 * How it works. Each round is one request, in which the worker answers at most one callback: while it waits
 * it does nothing else, and a callback that takes long has the whole deadline of a call for itself. To
 * calls from inside the callback, the request is the outer call.
 */

static int settle(const struct call *call, int waited, const struct station_reply *reply,
                  const struct station_end *end, bool *ret_served, struct message *why)
{
    if (waited == STATION_ENDED) {
        cell_note_outcome(call->session->cell, end->outcome);
        if (why) {
            *why = end->why;
        }
        return end->outcome;
    }
    if (reply->status != 0) {
        return refusal(reply, "a callback", why);
    }
    *ret_served = reply->words[0] != 0;
    return 0;
}

/* Submit, and answer what comes. At level inline submitting is all of it: it runs on this thread. */
static int exchange(struct call *call, uint64_t until_ns, bool *ret_served, struct message *why)
{
    struct cordon_session *session = call->session;
    struct station_request request = {.function_id = ENGINE_DISPATCH,
                                      .word_count = 1,
                                      .words = &until_ns,
                                      .room = &call->room,
                                      .reply_bytes_max = call->room.reply_bytes,
                                      .deadline_ns = call->deadline_ns};
    struct station_reply reply;
    struct station_end end;
    call->ticket.done = &call->done;
    int r = station_submit(session->station, &request, true, &call->ticket);
    if (r == -EPIPE) {
        return message_set(why, CORDON_ABORTED, "the worker has ended, and its threads with it");
    }
    if (r != 0) {
        return message_set(why, r, "cannot reach the worker: %s", strerror(-r));
    }
    r = station_await(session->station, &call->ticket, 1, CLOCK_NEVER, call->deadline_ns, &reply,
                      &end);
    r = settle(call, r, &reply, &end, ret_served, why);
    station_collect(session->station, &call->ticket);
    return r;
}

static int round_trip(struct cordon_session *session, uint64_t until_ns, bool *ret_served,
                      struct message *why)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t from_ns = until_ns > now_ns ? until_ns : now_ns;
    uint64_t grace_ns = session->cell->options.deadline_ms * CLOCK_MS_NS;
    struct call call;
    call.session = session;
    call.outer = NULL;
    call.callback_count = 0;
    call.deadline_ns = from_ns < CLOCK_NEVER - grace_ns ? from_ns + grace_ns : CLOCK_NEVER;
    int r = station_room_new(session->station, 0, MESSAGE_BYTES, &call.room);
    if (r != 0) {
        return message_set(why, r, "no room for a request: %s", strerror(-r));
    }
    struct call *before = session->call;
    session->call = &call;
    r = exchange(&call, until_ns, ret_served, why);
    session->call = before;
    station_room_free(session->station, &call.room);
    if (session->callback_error != 0) {
        int error = session->callback_error;
        session->callback_error = 0;
        r = r != 0 ? r : message_set(why, error, "a callback failed: %s", strerror(-error));
    }
    return r;
}

static int run_all(struct cordon_session *session, uint64_t until_ns, uint32_t *ret_count,
                   struct message *why)
{
    if (!session->station || station_broken(session->station)) {
        return message_set(why, CORDON_ABORTED,
                           "the session has no worker whose threads could call back");
    }
    if (batch_settle_all(session, until_ns) != 0) {
        return 0; /* the worker was busy all the time */
    }
    station_drain_event(session->station);
    bool served = true;
    for (int r = 0; served;) {
        served = false;
        r = round_trip(session, *ret_count == 0 ? until_ns : 0, &served, why);
        *ret_count += served;
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

int dispatch_callbacks(struct cordon_session *session, uint64_t until_ns, uint32_t *ret_count,
                       struct message *why)
{
    *ret_count = 0;
    int entered = session_enter_looking(session, until_ns);
    if (entered < 0) {
        return 0; /* another thread's call had the worker all the time, or nobody waits any more */
    }
    int r = entered == 1 ? message_set(why, -EDEADLK,
                                       "callbacks cannot be dispatched from inside a callback")
                         : run_all(session, until_ns, ret_count, why);
    session_leave(session);
    return r;
}
