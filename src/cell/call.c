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

#define CALLBACK_CONSTANT (1ull << 63)

_Static_assert(sizeof(struct cordon_error) == sizeof(struct message),
               "an error and a message are the same text");

static struct message *error_message(struct cordon_result *result)
{
    return result ? (struct message *)(void *)&result->error : NULL;
}

/* Hooks: handles and callbacks as the host knows them. Context: the session. */

static int handle_to_word(void *context, const struct cordon_plan_type *type,
                          struct cordon_handle handle, uint64_t *ret_word, struct message *why)
{
    struct cordon_session *session = context;
    if (handle.worker == 0) {
        if (type->flags & CORDON_PLAN_NULLABLE) {
            *ret_word = 0;
            return 0;
        }
        return message_set(why, -EINVAL, "is an empty handle");
    }
    if (handle.worker != station_number(session->station)) {
        return message_set(why, -ESTALE,
                           "is a handle of a worker that is gone, or of another session");
    }
    if (handle.tag != type->tag) {
        return message_set(why, -EINVAL, "is a handle of another type");
    }
    *ret_word = (uint64_t)handle.generation << 32 | handle.index;
    return 0;
}

static int word_to_handle(void *context, const struct cordon_plan_type *type, uint64_t word,
                          struct cordon_handle *ret_handle)
{
    struct cordon_session *session = context;
    if (word == 0) {
        *ret_handle = (struct cordon_handle){0};
        return 0;
    }
    *ret_handle = (struct cordon_handle){.worker = station_number(session->station),
                                         .generation = (uint32_t)(word >> 32),
                                         .index = (uint32_t)word,
                                         .tag = type->tag};
    return 0;
}

static int callback_to_word(void *context, const struct plan *plan, uint32_t function,
                            const struct cordon_value *value, uint64_t *ret_word,
                            struct message *why)
{
    struct cordon_session *session = context;
    struct call *call = session->call;
    if (value->kind == CORDON_VALUE_INT || value->kind == CORDON_VALUE_UINT) {
        /* A constant function pointer, such as SIG_IGN: bit 63, and the low 62 bits of its value. */
        *ret_word = CALLBACK_CONSTANT | (value->u & (CALLBACK_CONSTANT / 2 - 1));
        return 0;
    }
    if (value->kind != CORDON_VALUE_CALLBACK || !value->callback) {
        return message_set(why, -EINVAL, "must be a callback, a constant or NULL");
    }
    if (call->callback_count == CALL_CALLBACKS_MAX) {
        return message_set(why, -E2BIG, "more than %u callbacks in one call", CALL_CALLBACKS_MAX);
    }
    uint32_t id;
    int r = callback_table_add(&session->callbacks, value->callback, plan, function, &id, why);
    if (r != 0) {
        return r;
    }
    call->callback_ids[call->callback_count++] = id;
    *ret_word = id;
    return 0;
}

void call_hooks(struct cordon_session *session, struct frame_hooks *ret_hooks)
{
    *ret_hooks = (struct frame_hooks){.context = session,
                                      .handle_to_word = handle_to_word,
                                      .word_to_handle = word_to_handle,
                                      .callback_to_word = callback_to_word};
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

int call_begin(struct call *call, bool ring, struct message *why)
{
    struct cordon_session *session = call->session;
    call->has_room = false;
    call->callback_count = 0;
    session_count(&session->counts.calls);
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
    if (r < 0) {
        session_count(&session->counts.refused);
    } else if (r > 0) {
        session_count(&session->counts.ended[r & 7]);
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

static int ended(struct call *call, const struct station_end *end, struct cordon_result *ret_result)
{
    struct cordon_cell *cell = call->session->cell;
    if (end->outcome == CORDON_CRASHED && cell->options.level != CORDON_LEVEL_PROCESS) {
        uint32_t open = CELL_OPEN;
        (void)atomic_compare_exchange_strong(&cell->state, &open, CELL_POISONED);
    }
    ret_result->signal = end->signal;
    ret_result->exit_status = end->exit_status;
    *error_message(ret_result) = end->why;
    return end->outcome;
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
    int r = station_await(session->station, &call->ticket, call->function->record->out_words,
                          until_ns, call->deadline_ns, &reply, &end);
    if (!is_inline(call)) {
        scope_leave(call);
    }
    session->call = before;
    if (r == STATION_EXPIRED) {
        return -ETIME;
    }
    ret_result->owned = NULL;
    ret_result->error_number = 0;
    ret_result->signal = 0;
    ret_result->exit_status = 0;
    if (r == STATION_ENDED) {
        r = ended(call, &end, ret_result);
    } else if (reply.status != 0) {
        r = refusal(&reply, plan_name(call->function->plan, call->function->record->name),
                    error_message(ret_result));
    } else {
        r = decode(call, &reply, ret_result);
    }
    call_over(call, true);
    PROBE2(outcome, call->function->id, r);
    if (r >= 0) {
        session_count(&session->counts.ended[r & 7]);
    } else {
        session_count(&session->counts.refused);
    }
    if (session->callback_error != 0 && !call->outer) {
        int error = session->callback_error;
        session->callback_error = 0;
        if (r == CORDON_DONE) {
            cordon_result_release(ret_result);
            r = message_set(error_message(ret_result), error, "a callback failed: %s",
                            strerror(-error));
        }
    }
    return r == -ETIME ? -ETIMEDOUT : r; /* -ETIME is "not yet", and nobody's to say but ours */
}

static int enter_refused(struct cordon_session *session, struct cordon_result *ret_result)
{
    (void)session;
    return message_set(error_message(ret_result), CORDON_BUSY,
                       "no worker became free before the deadline");
}

int call_perform(struct cordon_session *session, const struct cordon_function *function,
                 const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                 struct cordon_result *ret_result)
{
    struct call call;
    int entered = session_enter(session, deadline_ns);
    if (entered < 0) {
        return enter_refused(session, ret_result);
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
        r = call_end(&call, CLOCK_NEVER, ret_result);
    }
    session_leave(session);
    return r;
}

/* Judge a callback's request and turn it into values. */
static int accept(struct cordon_session *session, const struct callback_entry *entry,
                  const struct station_callback *callback, struct frame_call *frame,
                  struct cordon_value *ret_values, struct message *why)
{
    const struct cordon_plan_function *shape = plan_function(entry->plan, entry->function);
    frame->scratch = NULL;
    if (callback->word_count < shape->in_words) {
        return -EBADMSG;
    }
    frame->plan = entry->plan;
    frame->function = entry->function;
    frame->hooks = &session->hooks;
    frame->arena = (struct frame_arena){session->arena ? arena_base(session->arena) : 0,
                                        session->arena ? arena_bytes(session->arena) : 0};
    frame->outer =
        (struct frame_outer){.plan = entry->plan,
                             .function = shape->outer,
                             .words = shape->outer == CORDON_PLAN_NONE ? NULL : entry->outer_words};
    frame->words = callback->words;
    frame->request = callback->frame;
    frame->request_bytes = callback->frame_bytes;
    frame->reply = callback->reply;
    frame->reply_bytes_max = callback->reply_bytes_max;
    frame->reply_fixed = 0;
    frame->read_only_request = false;
    if (callback->frame) {
        struct frame_header header;
        memcpy(&header, callback->frame, sizeof header);
        if (header.reply_fixed > callback->reply_bytes_max) {
            return -EBADMSG;
        }
        frame->reply_fixed = header.reply_fixed;
    }
    int r = frame_accept(frame, why);
    return r != 0 ? r
                  : frame_values(entry->plan, entry->function, frame->arguments, &session->hooks,
                                 &frame->outer, ret_values, why);
}

/* What the host's function returned, put into the frame: as large as the shape's result is. */
static int answer(struct cordon_session *session, const struct cordon_plan_function *shape,
                  struct frame_call *frame, const struct cordon_value *value,
                  struct station_callback *callback, struct message *why)
{
    uint64_t small[16] = {0};
    uint32_t size = plan_type(frame->plan, shape->result.type)->size;
    void *native = size <= sizeof small ? small : calloc(1, size);
    int r = native ? frame_native_result(frame->plan, frame->function, value, &session->hooks,
                                         native, why)
                   : -ENOMEM;
    if (r == 0) {
        r = frame_answer(frame, native, callback->reply_words, &callback->reply_bytes, why);
        callback->reply_word_count = shape->out_words;
    }
    if (native != small) {
        free(native);
    }
    return r;
}

/* Run the host's function and put its answer into the frame. */
static int run(struct cordon_session *session, const struct callback_entry *entry,
               struct frame_call *frame, const struct cordon_value *values,
               struct station_callback *callback, struct message *why)
{
    const struct cordon_plan_function *shape = plan_function(entry->plan, entry->function);
    struct cordon_value value = cordon_null();
    struct cordon_callback *held = entry->callback;
    /* relaxed: the entry's reference is held meanwhile. */
    (void)atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
    int r = atomic_load_explicit(&held->freed, memory_order_acquire)
                ? -ECANCELED
                : held->function(held->context, session, values, shape->passed_count, &value);
    callback_release(held);
    return r == 0 ? answer(session, shape, frame, &value, callback, why) : r;
}

int call_answer(void *context, struct station_callback *callback)
{
    struct cordon_session *session = context;
    struct callback_entry *found = callback_table_find(&session->callbacks, callback->id);
    if (!found || !session->call) {
        return -ECONNABORTED; /* an invented number, or during no call: no library runs then */
    }
    struct callback_entry entry = *found; /* calls from inside may move the table */
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    struct frame_call frame;
    struct message why;
    int r = accept(session, &entry, callback, &frame, values, &why);
    if (r == 0) {
        r = run(session, &entry, &frame, values, callback, &why);
    }
    frame_finish(&frame);
    if (r == 0) {
        return 0;
    }
    if (session->callback_error == 0) {
        session->callback_error = r < 0 ? r : -ECANCELED;
    }
    bool declared = plan_function(entry.plan, entry.function)->flags & CORDON_PLAN_FAILS;
    return declared ? -ECANCELED : -ECONNABORTED;
}
