/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cell/batch.h"
#include "cell/call.h"
#include "cell/cell.h"
#include "cell/refusal.h"
#include "library/library.h"

#define BOUND_WORDS (LIMIT_FUNCTIONS / 64u)
#define VERB_ROOM   4096u

static _Thread_local char thread_mark; /* its address names the thread */

int session_new(struct cordon_cell *cell, bool is_explicit, struct cordon_session **ret_session,
                struct message *why)
{
    struct cordon_session *session = calloc(1, sizeof *session);
    int r = session ? 0 : -ENOMEM;
    if (r == 0) {
        session->events = -1;
        session->cell = cell;
        session->is_explicit = is_explicit;
        lean_lock_init(&session->lock);
        call_hooks(session, &session->hooks);
        session->bound = calloc(BOUND_WORDS, sizeof *session->bound);
        r = session->bound ? 0 : -ENOMEM;
    }
    if (r == 0 && cell->options.arena_bytes > 0) {
        r = arena_open(cell->options.arena_bytes, cell->options.level == CORDON_LEVEL_PROCESS,
                       &session->arena);
    }
    if (r == 0 && cell->options.events) {
        session->events = epoll_create1(EPOLL_CLOEXEC);
        r = session->events >= 0 ? 0 : -errno;
    }
    if (r != 0) {
        session_free(session);
        return message_set(why, r, "cannot make a session: %s", strerror(-r));
    }
    *ret_session = session;
    return 0;
}

void session_free(struct cordon_session *session)
{
    if (!session) {
        return;
    }
    if (session->station) {
        station_condemn(session->station, LANE_CLOSED);
        (void)batch_settle_all(session, CLOCK_NEVER);
    }
    batch_free(session);
    station_close(session->station, true);
    callback_table_clear(&session->callbacks);
    arena_close(session->arena);
    fd_release(&session->events);
    free(session->bound);
    lean_lock_deinit(&session->lock);
    free(session);
}

int session_enter(struct cordon_session *session, uint64_t deadline_ns)
{
    uintptr_t self = (uintptr_t)&thread_mark;
    /* relaxed: a thread reads its own mark here only if it wrote it itself. */
    if (atomic_load_explicit(&session->holder, memory_order_relaxed) == self) {
        session->depth++;
        return 1;
    }
    if (lean_lock_enter(&session->lock, self, deadline_ns) < 0) {
        return -ETIMEDOUT;
    }
    atomic_store_explicit(&session->holder, self, memory_order_relaxed);
    return 0;
}

bool session_try_enter(struct cordon_session *session)
{
    uintptr_t self = (uintptr_t)&thread_mark;
    if (atomic_load_explicit(&session->holder, memory_order_relaxed) == self ||
        lean_lock_enter(&session->lock, self, 0) < 0) {
        return false;
    }
    atomic_store_explicit(&session->holder, self, memory_order_relaxed);
    return true;
}

void session_leave(struct cordon_session *session)
{
    if (session->depth > 0) {
        session->depth--;
        return;
    }
    atomic_store_explicit(&session->holder, 0, memory_order_relaxed);
    lean_lock_leave(&session->lock, (uintptr_t)&thread_mark);
}

/*
 * Event loops hold one descriptor for the session's life: it becomes readable with those of the present
 * station.
 */
static void watch_events(struct cordon_session *session, int operation)
{
    int fds[] = {station_event_fd(session->station), station_timer_fd(session->station)};
    for (size_t i = 0; session->events >= 0 && i < sizeof fds / sizeof fds[0]; i++) {
        struct epoll_event readable = {.events = EPOLLIN};
        if (fds[i] >= 0) {
            (void)epoll_ctl(session->events, operation, fds[i], &readable);
        }
    }
}

static void *resolve(void *context, const char *symbol)
{
    return library_find(context, symbol);
}

static void station_options(struct cordon_session *session, struct station_options *ret_options)
{
    struct cordon_cell *cell = session->cell;
    *ret_options = (struct station_options){
        .level = cell->options.level,
        .policy = cell->options.policy,
        .library = cell->options.library,
        .keeper = cell->keeper,
        .resolve_context = cell->library,
        .resolve = resolve,
        .arena = session->arena,
        .call_bytes = cell->options.call_bytes,
        .memory_bytes = cell->options.memory_bytes,
        .start_timeout_ns = cell->options.start_ms * CLOCK_MS_NS,
        .without = cell->options.without,
        .events = cell->options.events,
        .answer = call_answer,
        .answer_context = session,
    };
}

/* Give up the broken station; its calls in flight end by its verdict first. */
static int retire_station(struct cordon_session *session)
{
    (void)batch_settle_all(session, CLOCK_NEVER);
    /* First: a station that stays is retired again, memory that the old worker may write is not. */
    int r = session->arena ? arena_renew(session->arena) : 0;
    if (r != 0) {
        return r;
    }
    struct station *station = session->station;
    watch_events(session, EPOLL_CTL_DEL);
    (void)pthread_mutex_lock(&session->cell->lock);
    session->station = NULL;
    (void)pthread_mutex_unlock(&session->cell->lock);
    station_close(station, false);
    callback_table_clear(&session->callbacks);
    memset(session->bound, 0, BOUND_WORDS * sizeof *session->bound);
    return 0;
}

/* The first exchange: the library is loaded, and both sides speak the same protocol. */
static int greet(struct cordon_session *session, struct message *why)
{
    struct session_verb hello = {.verb = ENGINE_HELLO};
    int r = session_verb(
        session, &hello,
        clock_after_ns(session->cell->options.start_ms * CLOCK_MS_NS + CLOCK_SECOND_NS), why);
    if (r != 0) {
        return r;
    }
    if (hello.reply_words[0] != ENGINE_PROTOCOL) {
        return message_set(why, -EPROTO, "the worker program speaks protocol %llu, this library %u",
                           (unsigned long long)hello.reply_words[0], ENGINE_PROTOCOL);
    }
    station_set_pid(session->station, hello.reply_words[2]);
    return 0;
}

static int open_station(struct cordon_session *session, struct message *why)
{
    struct station_options options;
    station_options(session, &options);
    struct station *station;
    int r = station_open(&options, &station, why);
    if (r != 0) {
        return r == -EAGAIN ? CORDON_BUSY : r;
    }
    (void)pthread_mutex_lock(&session->cell->lock);
    session->station = station;
    if (atomic_load_explicit(&session->cell->state, memory_order_acquire) == CELL_CLOSED) {
        station_condemn(station, LANE_CLOSED); /* it came too late for cell_close() to see it */
    }
    (void)pthread_mutex_unlock(&session->cell->lock);
    atomic_store_explicit(&session->number, station_number(station), memory_order_relaxed);
    watch_events(session, EPOLL_CTL_ADD);
    (void)atomic_fetch_add_explicit(&session->cell->started, 1, memory_order_relaxed);
    r = greet(session, why);
    if (r != 0) {
        station_condemn(station, LANE_LIED); /* no call is for it; the next one gets another */
    }
    return r;
}

int session_station(struct cordon_session *session, struct message *why)
{
    if (session->station && !station_broken(session->station)) {
        return 0;
    }
    if (session->depth > 0) {
        return message_set(why, CORDON_ABORTED, "the worker of the outer call is gone");
    }
    int r = cell_usable(session->cell, why);
    if (r == 0 && session->station) {
        r = retire_station(session);
    }
    return r == 0 ? open_station(session, why) : r;
}

int session_bind(struct cordon_session *session, const struct cordon_function *function,
                 struct message *why)
{
    uint64_t *word = &session->bound[function->id / 64];
    uint64_t bit = 1ull << (function->id % 64);
    if (*word & bit) {
        return 0;
    }
    struct session_verb bind = {.verb = ENGINE_BIND,
                                .words = {function->id},
                                .bytes = function->plan,
                                .byte_count = (uint32_t)function->plan_bytes};
    int r = session_verb(session, &bind,
                         clock_after_ns(session->cell->options.start_ms * CLOCK_MS_NS), why);
    if (r == 0) {
        *word |= bit;
    }
    return r;
}

static int verb_reply(struct session_verb *verb, const struct station_reply *reply,
                      struct message *why)
{
    if (reply->status != 0) {
        return refusal(reply, "a request", why);
    }
    memcpy(verb->reply_words, reply->words, sizeof verb->reply_words);
    verb->reply_bytes =
        reply->reply_bytes < verb->reply_room ? reply->reply_bytes : verb->reply_room;
    for (uint32_t i = 0; i < verb->reply_bytes; i++) {
        ((uint8_t *)verb->reply)[i] = reply->reply[i];
    }
    return 0;
}

static int verb_exchange(struct cordon_session *session, struct session_verb *verb,
                         const struct station_room *room, uint64_t deadline_ns, struct message *why)
{
    struct engine_reply done;
    struct station_ticket ticket = {.done = &done};
    bool nested = session->depth > 0;
    if (nested && !session->call) {
        return message_set(why, -EDEADLK, "nothing can be asked of the worker from here");
    }
    if (nested && session->call->deadline_ns < deadline_ns) {
        deadline_ns = session->call->deadline_ns;
    }
    struct station_request request = {.function_id = verb->verb,
                                      .word_count = 5,
                                      .words = verb->words,
                                      .room = room,
                                      .request_bytes = verb->byte_count,
                                      .reply_bytes_max = room->reply_bytes,
                                      .deadline_ns = deadline_ns};
    int r = nested ? station_submit_nested(session->station, &request, session->call->ticket.seq,
                                           &ticket)
                   : station_submit(session->station, &request, true, &ticket);
    if (r == -EPIPE) {
        struct station_end end; /* it ended before: a library that does not load, say */
        station_ended(session->station, &end);
        session->unbegun = end.unbegun;
        if (why) {
            *why = end.why;
        }
        return end.outcome;
    }
    if (r != 0) {
        return message_set(why, r, "cannot reach the worker: %s", strerror(-r));
    }
    if (session->depth == 0) {
        (void)batch_settle_all(session, deadline_ns);
    }
    struct station_reply reply;
    struct station_end end;
    r = station_await(session->station, &ticket, 3, CLOCK_NEVER, deadline_ns, &reply, &end);
    if (r == STATION_REPLIED) {
        r = verb_reply(verb, &reply, why);
    } else {
        r = end.outcome;
        session->unbegun = end.unbegun;
        if (why) {
            *why = end.why;
        }
    }
    if (session->depth == 0) {
        station_collect(session->station, &ticket);
    }
    return r;
}

int session_verb(struct cordon_session *session, struct session_verb *verb, uint64_t deadline_ns,
                 struct message *why)
{
    struct station_room room;
    session->unbegun = false;
    uint32_t reply_bytes = verb->reply_room > VERB_ROOM ? verb->reply_room : VERB_ROOM;
    int r = station_room_new(session->station, verb->byte_count + 1, reply_bytes, &room);
    if (r != 0) {
        return message_set(why, r, "no room for %u bytes beside the calls in flight",
                           verb->byte_count);
    }
    if (verb->byte_count > 0) {
        memcpy(room.request, verb->bytes, verb->byte_count);
    }
    r = verb_exchange(session, verb, &room, deadline_ns, why);
    station_room_free(session->station, &room);
    return r;
}
