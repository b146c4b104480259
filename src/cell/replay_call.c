/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/refusal.h"
#include "cell/replay_internal.h"
#include "cordon/outcome.h"
#include "invoke/engine.h"
#include "lane/identity.h"

#define DEADLINE_MAX_NS (3600 * CLOCK_SECOND_NS)
#define DISPATCH_NS     (LIMIT_QUEUED_MS * CLOCK_MS_NS)
#define VERB_WORDS      3u

/* A call as it is made again. */
struct again {
    const struct recording_part *part;
    bool nested;
    bool has_room;
    uint64_t deadline_ns;
    uint64_t words[RECORDING_WORDS_MAX];
    struct station_room room;
    struct station_ticket ticket;
    struct engine_reply done; /* level inline */
};

static void differ(struct replay *replay, const struct message *what)
{
    if (!replay->different) {
        replay->what = *what;
    }
    replay->different = true;
}

static void differ_text(struct replay *replay, const char *text)
{
    struct message what;
    (void)message_set(&what, 0, "%s", text);
    differ(replay, &what);
}

static enum recording_kind next_kind(const struct replay *replay)
{
    return replay->at < replay->end ? (enum recording_kind)replay->at->entry.kind : 0;
}

/* ---- Callbacks --------------------------------------------------------------------------------- */

/* Frames have no addresses in them: the same arguments are the same bytes. */
static void compare_callback(struct replay *replay, const struct recording_part *then,
                             const struct station_callback *now)
{
    struct message what;
    size_t head = sizeof(struct frame_header) + then->entry.word_count * sizeof(uint64_t);
    if (replay_words_differ_callback(replay->words, then, now->words,
                                     now->words ? now->word_count : 0, &what)) {
        differ(replay, &what);
    } else if (then->entry.byte_count != (now->frame ? now->frame_bytes : 0) ||
               (then->entry.byte_count > head && memcmp(then->bytes + head, now->frame + head,
                                                        then->entry.byte_count - head) != 0)) {
        differ_text(replay, "a callback is given other memory");
    }
}

static int give_answer(struct replay *replay, struct replay_shape shape,
                       struct station_callback *callback)
{
    const struct recording_part *answer = replay->at;
    if (next_kind(replay) != RECORDING_ANSWER) {
        return -ECONNABORTED; /* the worker died before there was one */
    }
    replay->at++;
    if (answer->entry.status != 0) {
        return answer->entry.status == -ECANCELED ? -ECANCELED : -ECONNABORTED;
    }
    if (answer->entry.byte_count > callback->reply_bytes_max ||
        (answer->entry.byte_count > 0 && !callback->reply)) {
        differ_text(replay, "a callback's answer does not fit any more");
        return -ECONNABORTED;
    }
    memcpy(callback->reply_words, answer->words, answer->entry.word_count * sizeof(uint64_t));
    replay_words_answer(replay->words, shape, answer, callback->reply_words);
    callback->reply_word_count = answer->entry.word_count;
    callback->reply_bytes = answer->entry.byte_count;
    if (answer->entry.byte_count > 0) {
        memcpy(callback->reply, answer->bytes, answer->entry.byte_count);
    }
    return 0;
}

int replay_answer(void *context, struct station_callback *callback)
{
    struct replay *replay = context;
    const struct recording_part *then = replay->at;
    bool as_then = next_kind(replay) == RECORDING_CALLBACK && then->entry.function == callback->id;
    if (callback->error != 0 && !(as_then && then->entry.status == callback->error)) {
        return -ECONNABORTED; /* the answer that was given found no room */
    }
    if (!as_then) {
        differ_text(replay, "it calls back where it did not");
        return -ECONNABORTED;
    }
    replay->at++;
    compare_callback(replay, then, callback);
    struct replay_shape shape = replay_words_callback(replay->words, callback->id);
    replay->depth++;
    while (next_kind(replay) == RECORDING_ARENA || next_kind(replay) == RECORDING_CALL) {
        struct message why;
        if (replay_call(replay, true, &why) != 0) {
            replay->depth--;
            return -ECONNABORTED;
        }
    }
    replay->depth--;
    return give_answer(replay, shape, callback);
}

/* ---- One call ---------------------------------------------------------------------------------- */

static uint64_t deadline_of(const struct replay *replay, const struct recording_entry *call)
{
    uint64_t start_ns = replay->cell->options.start_ms * CLOCK_MS_NS;
    uint64_t left_ns = call->number < DEADLINE_MAX_NS ? call->number : DEADLINE_MAX_NS;
    if (call->function >= ENGINE_VERBS) {
        return clock_after_ns(left_ns > start_ns ? left_ns : start_ns);
    }
    return clock_after_ns(replay->options->timeout_ns ? replay->options->timeout_ns : left_ns);
}

/* How long it is worth while to wait for a thread of the library. */
static uint64_t dispatch_until(const struct replay *replay)
{
    return next_kind(replay) == RECORDING_CALLBACK ? clock_after_ns(DISPATCH_NS) : 0;
}

static int prepare(struct replay *replay, struct again *again, struct message *why)
{
    const struct recording_entry *call = &again->part->entry;
    if (call->function == ENGINE_BIND && !replay_words_bind(replay->words, again->part)) {
        return message_set(why, -EBADMSG, "the recording's plan of a function is not sound");
    }
    memcpy(again->words, again->part->words, call->word_count * sizeof again->words[0]);
    again->deadline_ns = deadline_of(replay, call);
    again->has_room = call->byte_count > 0 || call->reply_bytes_max > 0;
    if (again->has_room) {
        int r = station_room_new(replay->station, call->byte_count + 1, call->reply_bytes_max,
                                 &again->room);
        if (r != 0) {
            return message_set(why, -E2BIG, "a recorded call is larger than call_bytes allows");
        }
        memcpy(again->room.request, again->part->bytes, call->byte_count);
    }
    replay_words_request(replay->words, again->part, again->words,
                         again->has_room ? again->room.request : NULL);
    if (call->function == ENGINE_DISPATCH && call->word_count > 0) {
        again->words[0] = dispatch_until(replay);
    }
    return 0;
}

static int submit(struct replay *replay, struct again *again, struct message *why)
{
    const struct recording_entry *call = &again->part->entry;
    struct station_request request = {.function_id = call->function,
                                      .word_count = call->word_count,
                                      .words = again->words,
                                      .room = again->has_room ? &again->room : NULL,
                                      .request_bytes = call->byte_count,
                                      .reply_fixed = call->reply_fixed,
                                      .reply_bytes_max = call->reply_bytes_max,
                                      .deadline_ns = again->deadline_ns};
    again->ticket = (struct station_ticket){.done = &again->done};
    int r = again->nested
                ? station_submit_nested(replay->station, &request, replay->seq, &again->ticket)
                : station_submit(replay->station, &request, true, &again->ticket);
    if (!again->nested) {
        replay->seq = again->ticket.seq;
    }
    return r == 0 || r == -EPIPE
               ? r
               : message_set(why, r, "cannot submit a recorded call: %s", strerror(-r));
}

/* The entry of its return, gone to over callbacks that did not come again; NULL: the recording ends before. */
static const struct recording_part *find_return(struct replay *replay, bool nested)
{
    uint32_t inside = 0;
    for (; replay->at < replay->end; replay->at++) {
        const struct recording_entry *entry = &replay->at->entry;
        if (entry->kind == RECORDING_RETURN && inside == 0) {
            return replay->at++;
        }
        if (entry->kind == RECORDING_ANSWER && inside == 0 && nested) {
            return NULL; /* of the callback that it was made from */
        }
        if (entry->kind == RECORDING_CALLBACK) {
            differ_text(replay, "it does not call back where it did");
        }
        inside += entry->kind == RECORDING_CALLBACK;
        inside -= entry->kind == RECORDING_ANSWER && inside > 0;
    }
    return NULL;
}

static void compare_reply(struct replay *replay, const struct again *again,
                          const struct recording_part *then, const struct station_reply *now)
{
    struct message what;
    if (then->entry.status != now->status) {
        (void)message_set(&what, 0, "the worker says %d (%s), and said %d", now->status,
                          now->status ? strerror(-now->status) : "done", then->entry.status);
        differ(replay, &what);
    } else if (now->status == 0 &&
               replay_words_differ_reply(replay->words, again->part, then, now->words, &what)) {
        differ(replay, &what);
    } else if (then->entry.error_number != now->error_number) {
        (void)message_set(&what, 0, "errno is %d, and was %d", now->error_number,
                          then->entry.error_number);
        differ(replay, &what);
    }
}

static uint32_t out_words(const struct replay *replay, const struct again *again)
{
    struct replay_shape shape = replay_words_function(replay->words, again->part->entry.function);
    return shape.plan ? plan_function(shape.plan, 0)->out_words : VERB_WORDS;
}

/* The worker answered. Returns 0, or what the answer is worth to the last call. */
static int answered(struct replay *replay, const struct again *again,
                    const struct station_reply *reply, struct message *why)
{
    const struct recording_part *then = find_return(replay, again->nested);
    if (again->part->entry.function == ENGINE_HELLO &&
        (uint32_t)(reply->words[0] >> 32) != lane_identity()) {
        return message_set(why, -EPROTO, "the worker program is of another build of Cordon");
    }
    if (then) {
        compare_reply(replay, again, then, reply);
    } else {
        differ_text(replay, "it returns, and did not");
    }
    replay->result->outcome = CORDON_DONE;
    replay->result->signal = replay->result->exit_status = 0;
    if (reply->status != 0) {
        int r = refusal(reply, replay_words_name(replay->words, again->part->entry.function),
                        (struct message *)(void *)&replay->result->error);
        replay->result->outcome = r == CORDON_STALE ? CORDON_STALE : CORDON_ABORTED;
    }
    return 0;
}

/* The worker ended: nothing more can be asked of it. */
static int ended(struct replay *replay, const struct station_end *end, struct message *why)
{
    if (end->outcome < 0) {
        *why = end->why;
        return end->outcome; /* it did not even start */
    }
    replay->result->outcome = end->outcome;
    replay->result->signal = end->signal;
    replay->result->exit_status = end->exit_status;
    memcpy(replay->result->error.text, end->why.text, sizeof end->why.text);
    cell_note_outcome(replay->cell, end->outcome);
    return 1;
}

static int exchange(struct replay *replay, struct again *again, struct message *why)
{
    struct station_reply reply;
    struct station_end end;
    int r = submit(replay, again, why);
    if (r == -EPIPE) {
        station_ended(replay->station, &end);
        return ended(replay, &end, why);
    }
    if (r != 0) {
        return r;
    }
    if (again->has_room) {
        again->ticket.room = &again->room;
    }
    r = station_await(replay->station, &again->ticket, out_words(replay, again), CLOCK_NEVER,
                      again->deadline_ns, &reply, &end);
    r = r == STATION_REPLIED ? answered(replay, again, &reply, why) : ended(replay, &end, why);
    if (!again->nested) {
        station_collect(replay->station, &again->ticket);
    }
    return r;
}

static void tell(struct replay *replay, const struct again *again)
{
    struct cordon_replay_step step = {
        .call = replay->call,
        .depth = replay->depth,
        .function = replay_words_name(replay->words, again->part->entry.function),
        .differs = replay->different ? replay->what.text : NULL,
    };
    struct cordon_replay_result *result = replay->result;
    result->call = replay->call;
    (void)snprintf(result->function, sizeof result->function, "%s", step.function);
    if (replay->different && result->differences++ == 0) {
        result->differs_at = replay->call;
        memcpy(result->difference.text, replay->what.text, sizeof replay->what.text);
    }
    replay->different = false;
    if (replay->options->step) {
        replay->options->step(replay->options->context, &step);
    }
}

int replay_call(struct replay *replay, bool nested, struct message *why)
{
    struct again *again = malloc(sizeof *again); /* of a nesting as deep as the recording is */
    int r = again ? 0 : message_set(why, -ENOMEM, "not enough memory");
    for (; next_kind(replay) == RECORDING_ARENA; replay->at++) {
        memcpy((uint8_t *)arena_base(replay->arena) + replay->at->entry.number, replay->at->bytes,
               replay->at->entry.byte_count);
    }
    if (r == 0 && (next_kind(replay) != RECORDING_CALL ||
                   nested != ((replay->at->entry.flags & RECORDING_NESTED) != 0))) {
        r = message_set(why, -EBADMSG,
                        "the recording is not sound: call %u begins with another entry",
                        replay->call);
    }
    if (r == 0) {
        *again = (struct again){.part = replay->at++, .nested = nested};
        r = prepare(replay, again, why);
        r = r == 0 ? exchange(replay, again, why) : r;
        if (again->has_room) {
            station_room_free(replay->station, &again->room);
        }
    }
    if (r == 0 && replay->words->has_lost) {
        r = message_set(
            why, -E2BIG,
            "more than %u handles have other numbers than they had (REPLAY_HANDLES_MAX)",
            REPLAY_HANDLES_MAX);
    }
    if (r >= 0) {
        tell(replay, again);
    }
    free(again);
    return r;
}
