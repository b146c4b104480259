/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/station_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "cell/recorder.h"
#include "cell/reporting.h"
#include "cordon/outcome.h"
#include "lane/alarm.h"
#include "lane/keeper.h"
#include "lane/start.h"
#include "lane/verdict.h"
#include "report/card.h"

#define GONE_PATIENCE_NS   (5 * CLOCK_SECOND_NS)
#define THREAD_PATIENCE_NS (20 * CLOCK_MS_NS)

#define OVERHEAD_BYTES (64u * 1024u) /* the pages in front, a frame's header and words, alignment */

static uint32_t page_round(uint32_t bytes)
{
    return (bytes + LANE_PAGE - 1) & ~(LANE_PAGE - 1);
}

/* A lane in which one call of @call_bytes each way fits. */
static void size_lane(uint32_t call_bytes, uint32_t *ret_h_bytes, uint32_t *ret_w_bytes)
{
    *ret_h_bytes = page_round(call_bytes + OVERHEAD_BYTES);
    *ret_w_bytes =
        page_round((call_bytes + OVERHEAD_BYTES) / (LANE_CALLBACK_SHARE - 1) * LANE_CALLBACK_SHARE +
                   OVERHEAD_BYTES);
}

uint32_t station_lane_h_bytes(const struct station *station)
{
    uint32_t h_bytes;
    uint32_t w_bytes;
    size_lane(station->options.call_bytes, &h_bytes, &w_bytes);
    return h_bytes;
}

static int start_recorder(struct station *station)
{
    const struct station_options *options = &station->options;
    return recorder_new(options->record_bytes, options->call_bytes, options->arena,
                        &station->recorder);
}

static int start_process(struct station *station, struct message *why)
{
    const struct station_options *options = &station->options;
    int r = keeper_share_take(options->keeper, &station->keeper, why);
    if (r != 0) {
        return r;
    }
    struct errand errand = {
        .magic = ERRAND_MAGIC,
        .version = ERRAND_VERSION,
        .kind = ERRAND_START,
        .worker = station->number,
        .without = options->without,
        .policy = *options->policy,
        .start_timeout_ns = options->start_timeout_ns,
    };
    int length = snprintf(errand.library, sizeof errand.library, "%s", options->library);
    if (length < 0 || (size_t)length >= sizeof errand.library) {
        return message_set(why, -ENAMETOOLONG, "the library's name is longer than %zu bytes",
                           sizeof errand.library - 1);
    }
    int fds[8] = {lane_peek_h_fd(station->lane), lane_peek_w_fd(station->lane)};
    uint32_t fd_count = 2;
    if (options->events) {
        errand.flags |= ERRAND_HAS_EVENT;
        fds[fd_count++] = lane_peek_event_fd(station->lane);
    }
    if (options->arena) {
        errand.flags |= ERRAND_HAS_ARENA;
        errand.arena_base = arena_base(options->arena);
        errand.arena_bytes = arena_bytes(options->arena);
        fds[fd_count++] = arena_peek_fd(options->arena);
    }
    if (options->reporting && options->reporting->card) {
        station->report_id = reporting_new_id(options->reporting);
        errand.flags |= ERRAND_HAS_CARD | ERRAND_HAS_REPORTS;
        errand.report_id = station->report_id;
        fds[fd_count++] = card_peek_fd(options->reporting->card);
        fds[fd_count++] = options->reporting->directory;
    }
    r = options->record_bytes && errand.report_id ? start_recorder(station) : 0;
    if (r != 0) {
        return message_set(why, r, "cannot make the memory for a recording: %s", strerror(-r));
    }
    if (options->events) {
        errand.flags |= ERRAND_HAS_BELL;
        fds[fd_count++] = lane_peek_bell_fd(station->lane);
    }
    if (station->recorder) {
        errand.flags |= ERRAND_HAS_RECORDING;
        fds[fd_count++] = recorder_peek_fd(station->recorder);
    }
    r = keeper_client_send(station->keeper, &errand, fds, fd_count);
    if (r != 0) {
        return message_set(why, r, "cannot reach the keeper process: %s", strerror(-r));
    }
    return 0;
}

static int start_thread(struct station *station, struct message *why)
{
    const struct arena *arena = station->options.arena;
    if (station->options.events) {
        station->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (station->timer < 0) {
            return message_set(why, -errno, "no timer for deadlines: %s", strerror(errno));
        }
    }
    struct local_worker_options options = {
        .lane = station->lane,
        .resolve_context = station->options.resolve_context,
        .resolve = station->options.resolve,
        .arena = {arena ? arena_base(arena) : 0, arena ? arena_bytes(arena) : 0},
        .seen = station->options.reporting && station->options.reporting->card,
    };
    size_lane(station->options.call_bytes, &options.h_bytes, &options.w_bytes);
    return local_worker_start(&options, &station->local, why);
}

int station_lane_open(struct station *station, struct message *why)
{
    bool process = station->options.level == CORDON_LEVEL_PROCESS;
    struct lane_options options = {
        .wake = station->options.events ? LANE_WAKE_EVENTFD : LANE_WAKE_FUTEX,
        .private_memory = !process,
    };
    size_lane(station->options.call_bytes, &options.h_bytes, &options.w_bytes);
    int r = lane_open(&options, &station->lane);
    if (r != 0) {
        return message_set(why, r, "cannot make the shared memory of a worker: %s", strerror(-r));
    }
    if (process && station->options.attachment) {
        return station_lease_open(station, why);
    }
    return process ? start_process(station, why) : start_thread(station, why);
}

/* Tell the keeper to end the worker. It may be gone itself: then the worker is as well. */
static void end_process(struct station *station)
{
    struct errand errand = {.magic = ERRAND_MAGIC,
                            .version = ERRAND_VERSION,
                            .kind = ERRAND_END,
                            .worker = station->number,
                            .reason = station->end_reason};
    (void)keeper_client_send(station->keeper, &errand, NULL, 0);
}

void station_lane_condemn(struct station *station, enum lane_verdict verdict, uint32_t seq)
{
    (void)lane_condemn(station->lane, verdict, seq);
    if (station->keeper) {
        end_process(station);
    }
    if (station->seat) {
        attached_end(station->seat);
    }
}

void station_lane_close(struct station *station, bool wait)
{
    if (!station->lane) {
        return;
    }
    /* Of whom there is a report the keeper gives the verdict: it would end by itself, before it is seen. */
    if (!station->keeper || station->end_reason == ERRAND_UNSAID) {
        (void)lane_condemn(station->lane, LANE_CLOSED, 0);
    }
    if (station->keeper) {
        end_process(station);
        if (wait && keeper_client_alive(station->keeper)) {
            (void)lane_await_gone(station->lane, clock_after_ns(GONE_PATIENCE_NS));
        }
    }
    if (station->seat) {
        attached_end(station->seat);
        if (wait && attached_hear(station->seat) && station->seat->worker != 0) {
            (void)lane_await_gone(station->lane, clock_after_ns(GONE_PATIENCE_NS));
        }
        attached_give(station->seat);
        station->seat = NULL;
    }
    if (station->local && !local_worker_stop(station->local, THREAD_PATIENCE_NS)) {
        station->lane = NULL; /* the runaway thread owns it now */
    }
    lane_close(station->lane);
    station->lane = NULL;
    if (station->keeper) {
        keeper_share_give(station->options.keeper, station->keeper);
        station->keeper = NULL;
    }
}

static void fill_words(struct lane_message *message, uint32_t from, const uint64_t *words,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count && from + i < LANE_WORDS; i++) {
        message->words[from + i] = words[i];
    }
    message->word_count = from + count < LANE_WORDS ? from + count : LANE_WORDS;
}

int station_lane_submit(struct station *station, const struct station_request *request, bool ring,
                        bool nested, uint32_t outer_seq, struct station_ticket *ticket)
{
    struct lane_message message;
    message.tag = request->function_id;
    message.status_bytes = 0;
    if (request->room) {
        message.verb = LANE_CALL_BYTES;
        message.words[0] = lane_place(request->room->lane.h_at, request->request_bytes);
        message.words[1] = lane_place(request->room->lane.w_at, request->reply_bytes_max);
        fill_words(&message, 2, request->words, request->word_count);
        if (request->function_id >= ENGINE_VERBS && request->word_count > LANE_WORDS - 2) {
            /* A verb's fifth word, of 32 bits, has no other place. */
            message.status_bytes = request->words[LANE_WORDS - 2] << 32;
        }
    } else {
        message.verb = LANE_CALL;
        fill_words(&message, 0, request->words, request->word_count);
    }
    ticket->room = request->room;
    ticket->reply_bytes_max = request->reply_bytes_max;
    ticket->came = NULL;
    if (nested) {
        ticket->seq = outer_seq;
        return lane_continue(station->lane, outer_seq, &message);
    }
    return lane_submit(station->lane, &message, request->deadline_ns, ring, &ticket->seq);
}

/* Nobody else tells of the keeper's death. */
int station_check(void *context)
{
    struct station *station = context;
    if (station->keeper && !keeper_client_alive(station->keeper)) {
        (void)lane_condemn(station->lane, LANE_KEEPER_LOST, 0);
    }
    if (station->seat) {
        station_lease_check(station);
    }
    return 0;
}

/* A private copy of the callback's frame: what is judged next must not change. */
static int copy_frame(struct station *station, const struct lane_event *event,
                      struct station_callback *callback)
{
    uint32_t at = (uint32_t)event->words[0];
    uint32_t bytes = (uint32_t)(event->words[0] >> 32);
    callback->word_count = (uint32_t)(event->words[1] >> 32);
    callback->reply_bytes_max = (uint32_t)event->words[1];
    if (bytes == 0) {
        callback->words = event->words + 2;
        return callback->word_count <= LANE_WORDS - 2 ? 0 : -EBADMSG;
    }
    uint8_t *copy = station_buffer(&station->frames[station->depth], bytes);
    if (!copy) {
        return -ENOMEM;
    }
    struct lane_room place = {.w_at = at, .w_bytes = bytes};
    const volatile uint8_t *source = lane_room_w(station->lane, &place);
    memcpy(copy, (const uint8_t *)(uintptr_t)source, bytes);
    __asm__ volatile("" ::: "memory"); /* the copy is judged, the source is never looked at again */
    struct frame_header header;
    if (bytes < sizeof header) {
        return -EBADMSG;
    }
    memcpy(&header, copy, sizeof header);
    if (header.word_count > CORDON_PLAN_WORDS_MAX ||
        sizeof header + header.word_count * sizeof(uint64_t) > bytes) {
        return -EBADMSG;
    }
    callback->word_count = header.word_count;
    callback->words = (const uint64_t *)(const void *)(copy + sizeof header);
    callback->frame = copy;
    callback->frame_bytes = bytes;
    return 0;
}

/* The answer's message; words beyond five need none of them to be a place. */
static int fill_answer(struct lane_message *message, int failed,
                       const struct station_callback *callback, const struct lane_room *room)
{
    *message = (struct lane_message){.verb = LANE_CALLBACK_RETURN};
    if (failed != 0) {
        message->status_bytes = (uint64_t)(uint32_t)-ECANCELED << 32;
        return 0;
    }
    uint32_t mailed =
        callback->reply_word_count < LANE_WORDS ? callback->reply_word_count : LANE_WORDS;
    if (callback->reply_bytes > 0) {
        if (callback->reply_word_count == LANE_WORDS) {
            return -ENOTSUP;
        }
        mailed = mailed < LANE_WORDS - 1 ? mailed : LANE_WORDS - 1;
        message->words[LANE_WORDS - 1] = lane_place(room->h_at, callback->reply_bytes);
    }
    memcpy(message->words, callback->reply_words, mailed * sizeof message->words[0]);
    message->word_count = LANE_WORDS;
    message->status_bytes = callback->reply_bytes;
    return 0;
}

/*
 * Answer a callback. The answer's room stays taken until the conversation has gone on: the worker
 * reads it there.
 */
static void answer_callback(struct station *station, uint32_t seq, const struct lane_event *event,
                            struct lane_room *ret_room, bool *ret_has_room)
{
    struct station_callback callback = {.id = event->tag};
    int failed = station->depth < LIMIT_DEPTH ? copy_frame(station, event, &callback) : -E2BIG;
    if (failed == -EBADMSG) {
        station_lane_condemn(station, LANE_LIED, seq);
        return;
    }
    if (failed == 0 && callback.reply_bytes_max > 0) {
        failed = lane_room_new(station->lane, callback.reply_bytes_max, 0, ret_room) ? -E2BIG : 0;
        *ret_has_room = failed == 0;
        callback.reply = failed == 0 ? lane_room_h(station->lane, ret_room) : NULL;
    }
    callback.error = failed;
    if (station->recorder) {
        recorder_callback(station->recorder, seq, &callback);
    }
    station->depth++;
    failed = station->options.answer(station->options.answer_context, &callback);
    station->depth--;
    struct lane_message message;
    callback.error =
        failed == -ECONNABORTED ? 0 : fill_answer(&message, failed, &callback, ret_room);
    if (callback.error != 0) {
        failed = station->options.answer(station->options.answer_context, &callback);
        (void)fill_answer(&message, failed, &callback, ret_room);
    }
    if (station->recorder) {
        recorder_answer(station->recorder, seq, failed, &callback);
    }
    if (failed == -ECONNABORTED) {
        station_lane_condemn(station, LANE_FAILED, seq);
        return;
    }
    (void)lane_continue(station->lane, seq, &message); /* broken meanwhile: the next wait tells */
}

static void end_died(const struct station *station, const struct lane_death *death,
                     struct station_end *end)
{
    end->outcome = CORDON_CRASHED;
    if (station->local && death->code == CLD_EXITED) {
        end->exited = true;
        end->exit_status = death->status;
        (void)message_set(&end->why, 0,
                          "the library called %s in this process, and was kept from ending it; the "
                          "cell is poisoned and must be opened anew",
                          death->text);
        return;
    }
    if (station->local) {
        end->signal = death->status;
        (void)message_set(&end->why, 0,
                          "the library faulted in this process: %s; the cell is poisoned and must "
                          "be opened anew",
                          death->text);
        return;
    }
    /* A library may exit with any status: what the worker says of its own exit has to go with it. */
    enum lane_leaving leaving = lane_leaving(lane_peek_w(station->lane));
    if (death->code == CLD_EXITED && death->status == START_EXIT_BROKEN_LANE &&
        leaving == LANE_LEAVING_BROKEN) {
        (void)message_set(
            &end->why, 0,
            "the worker found no message in its lane's memory, into which the library "
            "may have written, and ended itself");
        return;
    }
    if (death->code == CLD_EXITED && death->status == START_EXIT_ABANDONED &&
        leaving == LANE_LEAVING_ABANDONED) {
        end->outcome = CORDON_ABORTED;
        (void)message_set(&end->why, 0,
                          "a callback could not be answered, and its prototype declares no failure "
                          "value, fails(...): it came too deep (LIMIT_DEPTH, %u), with more than "
                          "the lane holds (call_bytes), on a thread of the library without being "
                          "`anythread`, when it was not valid any more, or was an `escape`",
                          LIMIT_DEPTH);
        return;
    }
    if (death->code == CLD_EXITED) {
        end->exit_status = death->status;
        (void)message_set(&end->why, 0,
                          "the library ended its worker by exit with status %d during the call",
                          death->status);
        return;
    }
    end->signal = death->status;
    (void)message_set(&end->why, 0, "the worker was ended by signal %d (%s) during the call",
                      death->status, death->status ? strsignal(death->status) : "not known");
    if (death->status == SIGXCPU) {
        message_add(&end->why, ": its life's CPU time is over (cpu_ms)");
    }
    if (strstr(death->text, " address ")) {
        message_add(&end->why, ": %s", death->text);
    }
}

/*
 * The worker refused (its errno and sentence), or died while the library was loaded: a crash of the
 * library like any other.
 */
static void end_unstarted(const struct station *station, const struct lane_death *death,
                          struct station_end *end)
{
    if (death->code == 0) {
        end->outcome = death->status > 0 ? -death->status : -ENOEXEC;
    } else {
        end->outcome = CORDON_CRASHED;
        end->signal = death->code == CLD_EXITED ? 0 : death->status;
        end->exit_status = death->code == CLD_EXITED ? death->status : 0;
    }
    message_set_foreign(&end->why, death->text, sizeof death->text);
    const char *library = station->options.library;
    if (end->why.text[0] && library[0] && !strstr(end->why.text, library)) {
        /* Who only watched it does not know what was loaded. */
        char text[sizeof death->text];
        (void)snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, end->why.text);
        (void)message_set(&end->why, 0, "%s: %s", library, text);
    }
    if (end->outcome == -ETIMEDOUT) {
        message_add(&end->why, " (start_ms)");
    }
}

/* What the verdict means for call @seq, or any call before it. */
static void end_by_own_verdict(const struct station *station, uint32_t seq, struct station_end *end)
{
    uint32_t blamed = 0;
    struct lane_death death;
    enum lane_verdict verdict = lane_verdict(station->lane, &blamed, &death);
    *end = (struct station_end){.outcome = CORDON_ABORTED};
    switch (verdict) {
    case LANE_DIED:
        end_died(station, &death, end);
        break;
    case LANE_DEADLINE:
        if (blamed == seq) {
            end->outcome = CORDON_TIMEOUT;
            (void)message_set(&end->why, 0, "the deadline passed; %s",
                              station->local ? "its thread runs on, abandoned"
                                             : "the worker has been ended");
        } else {
            (void)message_set(&end->why, 0,
                              "a later call of the same worker passed its deadline and ended it");
        }
        break;
    case LANE_LIED:
        end->outcome = CORDON_CRASHED;
        (void)message_set(&end->why, 0, "the worker broke the protocol and has been ended");
        break;
    case LANE_FAILED:
        (void)message_set(&end->why, 0,
                          "a callback failed and its prototype declares no failure "
                          "value: fails(...); the worker has been ended");
        break;
    case LANE_KEEPER_LOST:
        (void)message_set(
            &end->why, 0, "%s",
            station->seat ? "the daemon, or its keeper process, was lost, and its workers with it"
                          : "the keeper process was lost, and its workers with it");
        break;
    case LANE_START_FAILED:
        end_unstarted(station, &death, end);
        break;
    case LANE_WORKER_DENIED:
        end->outcome = CORDON_DENIED;
        message_set_foreign(&end->why, death.text, sizeof death.text);
        if (!end->why.text[0]) {
            (void)message_set(&end->why, 0, "a forbidden act of the library ended the call");
        }
        break;
    case LANE_RECALLED:
        (void)message_set(&end->why, 0, "the daemon has taken the worker back (idle, or replaced)");
        break;
    case LANE_CLOSED:
    case LANE_ALIVE:
        (void)message_set(&end->why, 0, "the cell or session was closed");
        break;
    }
    if (verdict != LANE_LIED && (end->outcome == CORDON_CRASHED || end->outcome == CORDON_TIMEOUT ||
                                 end->outcome == CORDON_DENIED)) {
        end->report = station->report_id;
    }
}

/* A worker serves its calls in order: those behind the one that is blamed were never begun. */
static void end_by_verdict(const struct station *station, uint32_t seq, struct station_end *end)
{
    uint32_t blamed = 0;
    enum lane_verdict verdict = lane_verdict(station->lane, &blamed, NULL);
    if (seq == 0 || blamed == 0 || !lane_seq_before(blamed, seq) || verdict == LANE_START_FAILED) {
        end_by_own_verdict(station, seq, end);
        end->unbegun = lane_unbegun(station->lane, seq);
        return;
    }
    *end = (struct station_end){.outcome = CORDON_ABORTED, .unbegun = true};
    (void)message_set(
        &end->why, 0, "%s",
        verdict != LANE_DEADLINE ? "an earlier call of the same worker ended it"
        : station->local ? "another call passed its deadline; the thread of both runs on, abandoned"
                         : "another call of the same worker passed its deadline and ended it");
}

void station_lane_ended(const struct station *station, struct station_end *ret_end)
{
    enum lane_verdict verdict = lane_verdict(station->lane, NULL, NULL);
    end_by_own_verdict(station, 0, ret_end);
    ret_end->unbegun = verdict == LANE_DIED || verdict == LANE_DEADLINE || verdict == LANE_LIED ||
                       verdict == LANE_KEEPER_LOST || verdict == LANE_RECALLED;
}

/* Reply words: private copies, from the mail or, beyond six, from the reply's start. */
static int take_words(struct station *station, const struct station_ticket *ticket,
                      const struct lane_event *event, uint32_t out_words,
                      struct station_reply *ret_reply)
{
    ret_reply->reply = ticket->room ? lane_room_w(station->lane, &ticket->room->lane) : NULL;
    if (out_words <= LANE_WORDS || event->status != 0) {
        for (uint32_t i = 0; i < out_words && i < LANE_WORDS; i++) {
            ret_reply->words[i] = event->words[i];
        }
        return 0;
    }
    size_t bytes = out_words * sizeof(uint64_t);
    if (!ret_reply->reply || event->reply_bytes < bytes) {
        return -EBADMSG;
    }
    const volatile uint64_t *words =
        (const volatile uint64_t *)(const volatile void *)ret_reply->reply;
    for (uint32_t i = 0; i < out_words; i++) {
        ret_reply->words[i] = words[i];
    }
    return 0;
}

static int take_reply(struct station *station, const struct station_ticket *ticket,
                      const struct lane_event *event, uint32_t out_words,
                      struct station_reply *ret_reply)
{
    if (event->reply_bytes > ticket->reply_bytes_max) {
        return -EBADMSG;
    }
    ret_reply->status = event->status;
    ret_reply->error_number = (int)event->tag;
    ret_reply->reply_bytes = event->reply_bytes;
    return take_words(station, ticket, event, out_words, ret_reply);
}

/*
 * The worker tells of its own crash: as good as the keeper's word, and sooner. Whoever lies about it hears no more
 * of this lane, and is ended with the station, as a thread would be that a library left running.
 */
static void end_by_alarm(struct station *station, uint32_t seq, const struct lane_event *event)
{
    struct lane_death death;
    if (!station->keeper && !station->seat) {
        station_lane_condemn(station, LANE_LIED, seq);
        return;
    }
    alarm_describe(event->words[0] >> 32, event->words[0], event->words[1], &death);
    (void)lane_condemn_crashed(station->lane, seq, &death);
}

/* @came: an event that was taken before, or NULL: wait for one. */
static int next_event(struct station *station, uint32_t seq, const struct lane_event *came,
                      uint64_t until_ns, struct lane_event *ret_event)
{
    if (came) {
        *ret_event = *came;
        return LANE_CAME;
    }
    return lane_await(station->lane, seq, until_ns, station_check, station, ret_event);
}

int station_lane_await(struct station *station, const struct station_ticket *ticket,
                       uint32_t out_words, uint64_t until_ns, uint64_t deadline_ns,
                       struct station_reply *ret_reply, struct station_end *ret_end)
{
    const struct lane_event *came = ticket->came;
    uint64_t wait_ns = until_ns < deadline_ns ? until_ns : deadline_ns;
    struct lane_room *kept = &station->answers_read[lane_slot_of(ticket->seq)];
    struct lane_room room = *kept;
    bool has_room = room.h_bytes != 0;
    *kept = (struct lane_room){0};
    bool answered = false;
    for (;;) {
        struct lane_event event;
        /* A worker that never stops calling back must not keep us from looking at the clock. */
        int r = answered && clock_now_ns() >= wait_ns
                    ? LANE_EXPIRED
                    : next_event(station, ticket->seq, came, wait_ns, &event);
        came = NULL;
        /* A mere look, too, finds a deadline that has passed. */
        if (r == LANE_EXPIRED && until_ns < deadline_ns && clock_now_ns() < deadline_ns) {
            *kept = has_room ? room : (struct lane_room){0};
            return STATION_EXPIRED;
        }
        if (has_room) {
            lane_room_free(station->lane, &room);
            has_room = false;
        }
        if (r == LANE_CAME && event.verb == LANE_CALLBACK) {
            answer_callback(station, ticket->seq, &event, &room, &has_room);
            answered = true;
            continue;
        }
        if (r == LANE_CAME && event.verb == LANE_ALARM) {
            end_by_alarm(station, ticket->seq, &event);
            end_by_verdict(station, ticket->seq, ret_end);
            return STATION_ENDED;
        }
        if (r == LANE_CAME && take_reply(station, ticket, &event, out_words, ret_reply) == 0) {
            return STATION_REPLIED;
        }
        if (r == LANE_EXPIRED) {
            station_lane_condemn(station, LANE_DEADLINE, ticket->seq);
        } else if (r != LANE_VERDICT || lane_verdict(station->lane, NULL, NULL) == LANE_LIED) {
            /* The lane gives this verdict itself, but the keeper has to be told. */
            station_lane_condemn(station, LANE_LIED, ticket->seq);
        }
        end_by_verdict(station, ticket->seq, ret_end);
        return STATION_ENDED;
    }
}

/* What the keeper does for a process. */
void station_lane_look_at_deadlines(struct station *station)
{
    struct lane_ward ward = {.h = lane_peek_h(station->lane), .w = lane_peek_w(station->lane)};
    struct itimerspec next = {.it_value = {0}};
    uint64_t next_ns = CLOCK_NEVER;
    uint32_t late;
    if (lane_ward_overdue(&ward, clock_now_ns(), &late, &next_ns)) {
        station_lane_condemn(station, LANE_DEADLINE, late);
    } else if (next_ns != CLOCK_NEVER) {
        next.it_value = clock_timespec(next_ns);
    }
    (void)timerfd_settime(station->timer, TFD_TIMER_ABSTIME, &next, NULL);
}

void station_lane_drain_timer(struct station *station)
{
    uint64_t count;
    if (station->timer >= 0 && read(station->timer, &count, sizeof count) > 0) {
        station_lane_look_at_deadlines(station);
    }
}

void station_watch(struct station *station, uint64_t deadline_ns)
{
    if (station->timer >= 0 && lane_needs_watch(station->lane, deadline_ns)) {
        station_lane_look_at_deadlines(station);
    }
    if (!station->keeper || !lane_needs_watch(station->lane, deadline_ns)) {
        return;
    }
    struct errand errand = {.magic = ERRAND_MAGIC,
                            .version = ERRAND_VERSION,
                            .kind = ERRAND_WATCH,
                            .worker = station->number};
    (void)keeper_client_send(station->keeper, &errand, NULL, 0);
}
