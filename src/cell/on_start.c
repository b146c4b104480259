/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/on_start.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/batch.h"
#include "cell/call.h"
#include "cell/cell.h"
#include "cell/pool.h"
#include "cell/refusal.h"
#include "cell/session.h"

void on_start_deinit(struct on_start *on_start)
{
    for (uint32_t i = 0; i < LIMIT_ON_START; i++) {
        free(on_start->calls[i]);
    }
}

uint32_t on_start_count(const struct cordon_cell *cell)
{
    /* Pairs with the release in append(): the record before its number. */
    return atomic_load_explicit(&cell->on_start.count, memory_order_acquire);
}

/* ---- Recording --------------------------------------------------------------------------------- */

static int no_handle(void *context, const struct cordon_plan_type *type,
                     struct cordon_handle handle, uint64_t *ret_word, struct message *why)
{
    (void)context;
    if (handle.worker == 0 && (type->flags & CORDON_PLAN_NULLABLE)) {
        *ret_word = 0;
        return 0;
    }
    return message_set(why, -EINVAL,
                       "is a handle: it belongs to one worker, on_start calls to all");
}

static int no_callback(void *context, const struct plan *plan, uint32_t function,
                       const struct cordon_value *value, uint64_t *ret_word, struct message *why)
{
    (void)context;
    (void)plan;
    (void)function;
    (void)value;
    (void)ret_word;
    return message_set(why, -ENOTSUP,
                       "is a callback: on_start calls are repeated where nobody could answer it");
}

static int too_large(struct message *why)
{
    return message_set(why, -E2BIG,
                       "an on_start call takes or gives more than %u bytes (LIMIT_ON_START_BYTES)",
                       LIMIT_ON_START_BYTES);
}

/* Room for the sentence of a refusal, as every call has. */
static void leave_room_for_sentence(struct on_start_call *call)
{
    struct frame_header header;
    if (call->request.frame_bytes < sizeof header ||
        call->request.reply_bytes_max >= MESSAGE_BYTES) {
        return;
    }
    memcpy(&header, call->frame, sizeof header);
    header.reply_bytes_max = call->request.reply_bytes_max = MESSAGE_BYTES;
    memcpy(call->frame, &header, sizeof header);
}

static int encode(const struct cordon_function *function, const struct cordon_value *args,
                  size_t count, struct on_start_call **ret_call, struct message *why)
{
    const struct frame_hooks hooks = {.handle_to_word = no_handle, .callback_to_word = no_callback};
    uint8_t *bytes = aligned_alloc(FRAME_ALIGN, LIMIT_ON_START_BYTES);
    struct frame_space space = {.request = bytes,
                                .request_bytes = LIMIT_ON_START_BYTES,
                                .reply_bytes = LIMIT_ON_START_BYTES};
    struct frame_request request = {.frame_bytes = 0};
    struct on_start_call *call = NULL;
    int r = bytes ? frame_encode(function->plan, 0, function->id, args, count, &hooks, &space,
                                 &request, why)
                  : message_set(why, -ENOMEM, "not enough memory for a call");
    if (r == 0) {
        call = malloc(sizeof *call + request.frame_bytes);
        r = call ? 0 : message_set(why, -ENOMEM, "not enough memory for a call");
    } else if (r == -E2BIG || r == -ENOBUFS) {
        r = too_large(why);
    }
    if (r == 0) {
        call->function = function;
        call->request = request;
        memcpy(call->frame, bytes, request.frame_bytes);
        leave_room_for_sentence(call);
        *ret_call = call;
    }
    free(bytes);
    return r;
}

/* As a call of the session's own, so that it is known to work. */
static int execute(struct cordon_session *session, const struct cordon_function *function,
                   const struct cordon_value *args, size_t count, struct message *why)
{
    struct cordon_result result = {.owned = NULL};
    struct call call = {.session = session,
                        .function = function,
                        .args = args,
                        .count = count,
                        .deadline_ns =
                            clock_after_ns(session->cell->options.start_ms * CLOCK_MS_NS)};
    int r = call_begin(&call, true, why);
    if (r != 0) {
        return r;
    }
    recycle_aside(session); /* as in a fresh worker, which has it behind it */
    if (session->pending) {
        (void)batch_settle_all(session, call.deadline_ns);
    }
    r = call_end(&call, CLOCK_NEVER, &result);
    cordon_result_release(&result);
    return r == CORDON_DONE ? 0 : message_set(why, r, "%s", result.error.text);
}

/* By the holder of @session, which has executed it already, and all that came before. */
static int append(struct cordon_session *session, struct on_start_call *call, struct message *why)
{
    struct cordon_cell *cell = session->cell;
    struct on_start *on_start = &cell->on_start;
    int r = 0;
    (void)pthread_mutex_lock(&cell->lock);
    uint32_t count = atomic_load_explicit(&on_start->count, memory_order_relaxed);
    if (count == LIMIT_ON_START) {
        r = message_set(why, -E2BIG, "more than %u on_start calls (LIMIT_ON_START)",
                        LIMIT_ON_START);
    } else {
        on_start->calls[count] = call;
        atomic_store_explicit(&on_start->count, count + 1, memory_order_release);
        if (session->on_start_done == count) {
            session->on_start_done = count + 1; /* else another thread's came in between: again */
        }
    }
    (void)pthread_mutex_unlock(&cell->lock);
    return r;
}

int on_start_add(struct cordon_cell *cell, const struct cordon_function *function,
                 const struct cordon_value *args, size_t count, struct message *why)
{
    struct on_start_call *call = NULL;
    struct cordon_session *session = NULL;
    if (cell->attachment) {
        return message_set(why, -ENOTSUP, "on_start calls of a daemon's cell are the daemon's");
    }
    int r = encode(function, args, count, &call, why);
    r = r == 0 ? cell_session(cell, &session, why) : r;
    if (r != 0) {
        free(call);
        return r;
    }
    int entered = session_enter(session, clock_after_ns(cell->options.start_ms * CLOCK_MS_NS));
    if (entered == 0) {
        r = execute(session, function, args, count, why);
        r = r == 0 ? append(session, call, why) : r;
    } else if (entered == 1) {
        r = message_set(why, -EDEADLK, "on_start calls cannot be added from inside a callback");
    } else {
        r = message_set(why, CORDON_BUSY, "no worker became free within start_ms");
    }
    if (entered >= 0) {
        session_leave(session);
    }
    if (r != 0) {
        free(call);
        return r;
    }
    gate_turn(&cell->gate); /* the other sessions have it to do before their next call */
    return 0;
}

/* ---- Replay ------------------------------------------------------------------------------------ */

int on_start_send(const struct cordon_cell *cell, uint32_t index, struct station *station,
                  uint64_t deadline_ns, struct station_room *ret_room, bool *ret_has_room,
                  struct station_ticket *ticket)
{
    const struct on_start_call *call = cell->on_start.calls[index];
    const struct frame_request *frame = &call->request;
    *ret_has_room = frame->frame_bytes > 0 || frame->reply_bytes_max > 0;
    if (*ret_has_room) {
        int r = station_room_new(station, frame->frame_bytes, frame->reply_bytes_max, ret_room);
        if (r != 0) {
            *ret_has_room = false;
            return r;
        }
        memcpy(ret_room->request, call->frame, frame->frame_bytes);
    }
    struct station_request request = {.function_id = call->function->id,
                                      .word_count = frame->word_count,
                                      .words = frame->words,
                                      .room = *ret_has_room ? ret_room : NULL,
                                      .request_bytes = frame->frame_bytes,
                                      .reply_fixed = frame->reply_fixed,
                                      .reply_bytes_max = frame->reply_bytes_max,
                                      .deadline_ns = deadline_ns};
    int r = station_submit(station, &request, false, ticket);
    if (r != 0 && *ret_has_room) {
        station_room_free(station, ret_room);
        *ret_has_room = false;
    }
    return r;
}

static int replay(struct cordon_session *session, uint32_t index, struct message *why)
{
    const struct cordon_cell *cell = session->cell;
    const struct cordon_function *function = cell->on_start.calls[index]->function;
    struct engine_reply done;
    struct station_ticket ticket = {.done = &done};
    struct station_room room;
    bool has_room = false;
    uint64_t deadline_ns = clock_after_ns(cell->options.start_ms * CLOCK_MS_NS);
    int r = session_bind(session, function, why);
    if (r != 0) {
        return r;
    }
    r = on_start_send(cell, index, session->station, deadline_ns, &room, &has_room, &ticket);
    if (r != 0) {
        return message_set(why, r, "an on_start call cannot be sent: %s", strerror(-r));
    }
    station_ring(session->station);
    struct station_reply reply;
    struct station_end end;
    r = station_await(session->station, &ticket, 0, CLOCK_NEVER, deadline_ns, &reply, &end);
    if (r != STATION_REPLIED) {
        r = message_set(why, end.outcome, "%s", end.why.text);
    } else if (reply.status != 0) {
        r = refusal(&reply, plan_name(function->plan, function->record->name), why);
    } else {
        r = 0;
    }
    station_collect(session->station, &ticket);
    if (has_room) {
        station_room_free(session->station, &room);
    }
    return r;
}

int on_start_catch_up(struct cordon_session *session, struct message *why)
{
    (void)batch_settle_all(session, CLOCK_NEVER);
    while (session->on_start_done < on_start_count(session->cell)) {
        int r = replay(session, session->on_start_done, why);
        if (r != 0) {
            station_condemn(session->station, LANE_CLOSED);
            return r;
        }
        session->on_start_done++;
    }
    return 0;
}
