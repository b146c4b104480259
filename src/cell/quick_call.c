/* SPDX-License-Identifier: Apache-2.0 */
/* A quick call on its way: laid out, sent, answered; or handed to the general way. */
#include "cell/quick.h"

#include <errno.h>
#include <string.h>

#include "base/cpu.h"
#include "base/probe.h"
#include "cell/batch.h"
#include "cell/call.h"
#include "cell/cell.h"
#include "cell/quick_scalar.h"
#include "cell/session.h"
#include "cell/station_internal.h"

#define REPLY_FIXED FRAME_ALIGN /* a reply's first bytes are never a place */
#define AHEAD_BYTES 2048u
#define REPLY_BYTES 1024u /* for the sentence of a refusal */

/* A call in progress: what went out, in case that the general way has to end it. */
struct outgoing {
    struct cordon_session *session;
    const struct cordon_function *function;
    const struct cordon_value *args;
    uint64_t deadline_ns;            /* CORDON_DEFAULT until it is needed */
    const struct station_room *room; /* NULL: only words */
    const uint64_t *words;           /* of the frame in the room */
    uint32_t frame_bytes;            /* 0: no frame, arrays alone */
    /* Where a call is put whose answer does not come soon; NULL: it is awaited. */
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

/* Only now it needs to be known when the call is late. */
static void find_deadline(struct outgoing *out, uint32_t seq)
{
    if (out->deadline_ns == CORDON_DEFAULT) {
        out->deadline_ns = cell_deadline_ns(out->session->cell);
        lane_set_deadline(out->session->station->lane, seq, out->deadline_ns);
    }
}

/* Something else than a plain answer came, or nothing: the general way goes on with it. */
static int end_generally(struct outgoing *out, uint32_t seq, const struct lane_event *came,
                         struct cordon_result *ret_result)
{
    struct call call;
    find_deadline(out, seq);
    if (out->ret_pending) {
        struct cordon_pending *pending = batch_take(out->session);
        make_general(out, seq, batch_call(pending));
        return batch_keep(pending, out->args, out->function->quick.passed_count, came,
                          out->ret_pending, ret_result);
    }
    make_general(out, seq, &call);
    call.ticket.came = came;
    int r = call_end(&call, CLOCK_NEVER, ret_result);
    return r == -ERESTART ? call_resend(&call, CLOCK_NEVER, ret_result) : r;
}

/* It was not answered at once. */
static __attribute__((noinline)) int await(struct outgoing *out, uint32_t seq,
                                           struct lane_event *ret_event)
{
    struct station *station = out->session->station;
    find_deadline(out, seq);
    return lane_await(station->lane, seq, out->ret_pending ? LANE_SPIN : out->deadline_ns,
                      station_check, station, ret_event);
}

/* The room, if there is one, is given back in any case but QUICK_NOT, or goes with a call that is kept. */
static inline int exchange(struct outgoing *out, const struct lane_message *message,
                           struct cordon_result *ret_result)
{
    struct cordon_session *session = out->session;
    struct lane *lane = session->station->lane;
    struct lane_event event;
    uint32_t seq;
    uint64_t deadline_ns = out->deadline_ns == CORDON_DEFAULT ? CLOCK_NEVER : out->deadline_ns;
    int r = lane_exchange(lane, message, deadline_ns, &event, &seq);
    if (r < 0) {
        return QUICK_NOT;
    }
    session_count(&session->counts.calls);
    if (r != LANE_CAME) {
        r = await(out, seq, &event);
    }
    if (r != LANE_CAME || !quick_decode(out->function, &event, ret_result)) {
        return end_generally(out, seq, r == LANE_CAME ? &event : NULL, ret_result);
    }
    if (out->room) {
        lane_room_free(lane, &out->room->lane);
    }
    ret_result->violations = violations_take(&session->violations);
    lane_collect(lane, seq);
    session_count(&session->counts.ended[CORDON_DONE]);
    PROBE2(outcome, out->function->id, CORDON_DONE);
    return CORDON_DONE;
}

static uint32_t align_frame(uint32_t at)
{
    return (at + FRAME_ALIGN - 1) & ~(FRAME_ALIGN - 1u);
}

/*
 * Words, with places for the arrays from @at on; where they end. False: not so simple. At least one array: else it is
 * quick_encode()'s.
 */
static bool lay_out(const struct cordon_session *session, const struct quick *quick,
                    const struct cordon_value *args, uint32_t at, uint64_t *ret_words,
                    uint32_t *ret_bytes)
{
    uint64_t limit = session->cell->options.call_bytes;
    for (uint32_t i = 0; i < quick->passed_count; i++) {
        const struct quick_value *to = &quick->args[i];
        const struct cordon_value *value = &args[i];
        if (to->kind != QUICK_BYTES) {
            if (!quick_encode_scalar(to, value, &ret_words[to->word])) {
                return false;
            }
            continue;
        }
        if (value->kind != CORDON_VALUE_MEMORY || !value->memory || value->count == 0 ||
            value->count > to->most || value->count > limit ||
            align_frame(at) + (value->count << to->shift) > limit ||
            (session->arena && arena_check(session->arena, value->memory, 1))) {
            return false;
        }
        ret_words[to->word] = at;
        ret_words[to->count_word] = value->count;
        at = align_frame(at + (uint32_t)(value->count << to->shift));
        if (at > limit) {
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
    for (uint32_t i = 0; i < quick->passed_count; i++) {
        const struct quick_value *to = &quick->args[i];
        if (to->kind == QUICK_BYTES) {
            memcpy(memory + words[to->word], args[i].memory, args[i].count << to->shift);
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

/* The words travel in the mail line, and so does what is no more than LANE_INSIDE_BYTES: no header, no reply. */
static int perform_short(struct outgoing *out, struct cordon_result *ret_result)
{
    struct station *station = out->session->station;
    const struct quick *quick = &out->function->quick;
    struct lane_message message = {.verb = LANE_CALL_SHORT, .tag = out->function->id};
    struct station_room room;
    uint32_t bytes;
    if (!lay_out(out->session, quick, out->args, 0, message.words + 1, &bytes)) {
        return QUICK_NOT;
    }
    if (bytes <= LANE_INSIDE_BYTES && quick->param_count < LANE_INSIDE_WORD) {
        message.words[0] = lane_place(0, bytes);
        write_arrays(quick, out->args, message.words + 1,
                     (uint8_t *)&message.words[LANE_INSIDE_WORD]);
        return exchange(out, &message, ret_result);
    }
    if (station_room_new(station, bytes, 0, &room) != 0) {
        return QUICK_NOT;
    }
    claim_ahead(room.request, bytes);
    message.words[0] = lane_place(room.lane.h_at, bytes);
    write_arrays(quick, out->args, message.words + 1, room.request);
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
    return quick->is_short          ? perform_short(out, ret_result)
           : quick->array_count > 0 ? perform_bytes(out, ret_result)
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
    if ((session->quiet || session->events < 0) && batch_has_spare(session)) {
        r = perform(&out, count, ret_result);
    }
    session_leave(session);
    return r;
}
