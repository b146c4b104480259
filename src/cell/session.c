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
#include "cell/station_internal.h"
#include "cell/cell.h"
#include "cell/recruit.h"
#include "cell/refusal.h"
#include "library/library.h"

#define VERB_ROOM 4096u

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
        line_init(&session->line);
        lean_lock_init(&session->lock);
        call_hooks(session, &session->hooks);
        session->bound = calloc(SESSION_BOUND_WORDS, sizeof *session->bound);
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
    if (session->station) {
        life_step(&session->life, LIFE_DISMISSED, &session->cell->life_counts);
    }
    station_close(session->station, true);
    station_close(session->retired, true);
    callback_table_clear(&session->callbacks);
    arena_close(session->arena);
    fd_release(&session->events);
    free(session->bound);
    lean_lock_deinit(&session->lock);
    line_deinit(&session->line);
    free(session);
}

static int enter(struct cordon_session *session, struct line_bound *bound, uint64_t deadline_ns)
{
    uintptr_t self = (uintptr_t)&thread_mark;
    /* relaxed: a thread reads its own mark here only if it wrote it itself. */
    if (atomic_load_explicit(&session->holder, memory_order_relaxed) == self) {
        session->depth++;
        return 1;
    }
    if (line_is_waiting(&session->line) || lean_lock_enter(&session->lock, self, 0) < 0) {
        int r = line_enter(&session->line, bound, &session->lock, self, deadline_ns);
        if (r < 0) {
            return r;
        }
    }
    atomic_store_explicit(&session->holder, self, memory_order_relaxed);
    return 0;
}

int session_enter(struct cordon_session *session, uint64_t deadline_ns)
{
    return enter(session, NULL, deadline_ns);
}

int session_enter_queue(struct cordon_session *session, uint64_t deadline_ns)
{
    return enter(session, session->is_explicit ? NULL : &session->cell->queue, deadline_ns);
}

int session_busy(const struct cordon_session *session, int entered, uint32_t *ret_retry_ms,
                 struct message *why)
{
    const struct line_bound *queue = &session->cell->queue;
    uint32_t retry_ms = line_hint_ms(queue);
    if (ret_retry_ms) {
        *ret_retry_ms = retry_ms;
    }
    if (entered == -EAGAIN) {
        return message_set(why, CORDON_BUSY,
                           "%u callers wait for a worker already (queue); try again in %u ms",
                           queue->most, retry_ms);
    }
    return message_set(why, CORDON_BUSY, "no worker became free before the deadline");
}

bool session_is_mine(const struct cordon_session *session)
{
    /* relaxed: a thread reads its own mark here only if it wrote it itself. */
    return atomic_load_explicit(&session->holder, memory_order_relaxed) == (uintptr_t)&thread_mark;
}

bool session_try_enter(struct cordon_session *session)
{
    uintptr_t self = (uintptr_t)&thread_mark;
    if (atomic_load_explicit(&session->holder, memory_order_relaxed) == self ||
        line_is_waiting(&session->line) || lean_lock_enter(&session->lock, self, 0) < 0) {
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
    int fds[] = {station_event_fd(session->station), station_bell_fd(session->station),
                 station_timer_fd(session->station), station_seat_fd(session->station)};
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

void session_station_options(struct cordon_session *session, struct station_options *ret_options)
{
    struct cordon_cell *cell = session->cell;
    *ret_options = (struct station_options){
        .level = cell->options.level,
        .policy = &cell->policy,
        .library = cell->options.library,
        .keeper = cell->keeper,
        .attachment = cell->attachment,
        .resolve_context = cell->library,
        .resolve = resolve,
        .arena = session->arena,
        .call_bytes = cell->options.call_bytes,
        .start_timeout_ns = cell->options.start_ms * CLOCK_MS_NS,
        .without = cell->options.without,
        .reporting = &cell->reporting,
        .record_bytes = cell->options.record ? cell->options.record_bytes : 0,
        .events = cell->options.events,
        .answer = call_answer,
        .answer_context = session,
    };
}

/* Give up the station, broken or idle; its calls in flight end by its verdict first. */
static int retire_station(struct cordon_session *session)
{
    (void)batch_settle_all(session, CLOCK_NEVER);
    /* First: a station that stays is retired again, memory that the old worker may write is not. */
    int r = session->arena ? arena_renew(session->arena) : 0;
    if (r != 0) {
        return r;
    }
    if (session->life.state == LIFE_SERVING || session->life.state == LIFE_WORN) {
        life_step(&session->life, LIFE_BROKE, &session->cell->life_counts);
    }
    watch_events(session, EPOLL_CTL_DEL);
    (void)violations_take(&session->violations);
    violations_follow(&session->violations, NULL);
    station_close(session->retired, false);
    (void)pthread_mutex_lock(&session->cell->lock);
    session->retired = session->station; /* closed by session_tend(): a call waits */
    session->station = NULL;
    (void)pthread_mutex_unlock(&session->cell->lock);
    session->has_chores = true;
    if (session->cell->options.level != CORDON_LEVEL_PROCESS || session->cell->attachment) {
        session_tend(
            session); /* a runaway thread counts from its close on; a seat is wanted again */
    }
    callback_table_clear(&session->callbacks);
    memset(session->bound, 0, SESSION_BOUND_WORDS * sizeof *session->bound);
    return 0;
}

/* The recruit's station is the session's, ready or not: whoever closes the cell finds it there. */
static void take_station(struct cordon_session *session, struct recruit *recruit)
{
    struct cordon_cell *cell = session->cell;
    (void)pthread_mutex_lock(&cell->lock);
    session->station = recruit->station;
    if (atomic_load_explicit(&cell->state, memory_order_acquire) == CELL_CLOSED) {
        station_condemn(session->station, LANE_CLOSED); /* too late for cell_close() to see it */
    }
    (void)pthread_mutex_unlock(&cell->lock);
    session->life = recruit->life;
    violations_follow(&session->violations, station_peek_h(session->station));
    session->on_start_done = 0;
    atomic_store_explicit(&session->number, station_number(session->station), memory_order_relaxed);
    watch_events(session, EPOLL_CTL_ADD);
}

/* Wait until it can serve, and let it. */
static int adopt(struct cordon_session *session, struct recruit *recruit, enum life_event how,
                 struct message *why)
{
    take_station(session, recruit);
    int r = recruit_finish(recruit, why);
    recruit->station = NULL;
    session->life = recruit->life;
    if (r != 0) {
        return r;
    }
    life_step(&session->life, how, &session->cell->life_counts);
    station_set_answer(session->station, call_answer, session);
    uint64_t *bound = session->bound;
    session->bound = recruit->bound;
    recruit->bound = bound;
    session->on_start_done = recruit->on_start_done;
    session->is_promoted = how == LIFE_PROMOTED;
    if (session->quiet) {
        (void)session_set_ringing(session, false);
    }
    recycle_begin(session, recruit->holdings);
    return 0;
}

/* A spare that turns out to be of no use is followed by the next one. False: there is none. */
static bool promote(struct cordon_session *session)
{
    struct recruit *spare;
    while ((spare = spare_take(session->cell))) {
        session->has_chores = true;
        int r = adopt(session, spare, LIFE_PROMOTED, NULL);
        recruit_free(spare, false);
        if (r == 0) {
            return true;
        }
        if (retire_station(session) != 0) {
            return false;
        }
    }
    return false;
}

static int start(struct cordon_session *session, struct message *why)
{
    struct cordon_cell *cell = session->cell;
    struct station_options options;
    struct recruit *recruit;
    struct message reason = {.text = ""};
    int r = starts_ask(cell, &session->retry_after_ms, why);
    if (r != 0) {
        return r;
    }
    session_station_options(session, &options);
    r = recruit_new(cell, &options, NULL, 0, &recruit, &reason);
    if (r == 0) {
        r = adopt(session, recruit, LIFE_ADOPTED, &reason);
        recruit_free(recruit, false);
    } else if (r == -EAGAIN) {
        r = CORDON_BUSY; /* too many runaway threads */
    }
    bool refused = r == CORDON_BUSY || (cell->attachment && r == CORDON_OPEN);
    if (refused && cell->attachment) {
        session->retry_after_ms =
            atomic_load_explicit(&cell->attachment->retry_ms, memory_order_relaxed);
    }
    if (r == 0) {
        starts_succeeded(cell);
    } else if (!refused) {
        starts_failed(cell, &reason);
    }
    return r == 0 ? 0 : message_set(why, r, "%s", reason.text);
}

/* Neither broken nor recycled. */
static bool has_worker(const struct cordon_session *session)
{
    return session->station && !station_broken(session->station) &&
           session->life.state != LIFE_ENDED;
}

/* A daemon lends something else by now, and nothing of what its worker holds is missed. */
static bool is_outdated(struct cordon_session *session)
{
    uint64_t until_ns;
    bool is_old;
    if (station_is_calm(session->station) || session->depth > 0 || session->pending) {
        return false;
    }
    enum lease_weather weather = station_weather(session->station, &until_ns, &is_old);
    return is_old && weather != LEASE_WITHDRAWN && recycle_holds_nothing(session);
}

int session_weather(struct cordon_session *session, struct message *why)
{
    uint64_t until_ns;
    bool is_old;
    if (!session->station || station_is_calm(session->station) ||
        station_weather(session->station, &until_ns, &is_old) != LEASE_BREAKER_OPEN) {
        return 0;
    }
    uint64_t now_ns = clock_now_ns();
    if (now_ns >= until_ns) {
        return 0; /* the daemon looks how the next calls end */
    }
    uint64_t wait_ms = (until_ns - now_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS;
    session->retry_after_ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
    return message_set(why, CORDON_OPEN,
                       "the breaker of the daemon's cell is open: too many calls crashed or passed "
                       "their deadline; try again in %u ms",
                       session->retry_after_ms);
}

int session_station(struct cordon_session *session, struct message *why)
{
    int r = 0;
    if (has_worker(session) && !is_outdated(session)) {
        bool behind = session->on_start_done < on_start_count(session->cell);
        if (session->depth > 0 || (!behind && !recycle_look(session))) {
            return 0;
        }
        if (behind) {
            r = on_start_catch_up(session, why);
            if (r != 0) {
                starts_failed(session->cell, why ? why : &(struct message){.text = ""});
            }
            return r;
        }
    }
    if (session->depth > 0) {
        return message_set(why, CORDON_ABORTED, "the worker of the outer call is gone");
    }
    bool replaces = session->station != NULL;
    r = cell_usable(session->cell, why);
    if (r == 0 && session->station) {
        r = retire_station(session);
    }
    if (r != 0 || (replaces && promote(session))) {
        return r;
    }
    return start(session, why);
}

int session_rest(struct cordon_session *session)
{
    if (session->depth > 0 || session->pending_count > 0) {
        return -EBUSY;
    }
    int r = session->station ? retire_station(session) : 0;
    struct station *retired = session->retired;
    session->retired = NULL;
    session->has_chores = false; /* no spare either: whoever rests needs none */
    station_close(retired, false);
    return r;
}

void session_tend(struct cordon_session *session)
{
    session->has_chores = session->chores_waited = false;
    struct station *retired = session->retired;
    session->retired = NULL;
    spare_refill(session);
    station_close(retired, false);
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

static bool is_bound(const struct cordon_session *session, const struct cordon_function *function)
{
    return (session->bound[function->id / 64] >> (function->id % 64) & 1) != 0;
}

bool session_set_ringing(struct cordon_session *session, bool on)
{
    session->quiet = !on;
    return session->station && session->station->lane &&
           (lane_set_ringing(session->station->lane, on) ||
            (on && station_broken(session->station)));
}

bool session_is_ready(struct cordon_session *session, const struct cordon_function *function)
{
    return session->depth == 0 && has_worker(session) && is_bound(session, function) &&
           session->on_start_done >= on_start_count(session->cell) && !recycle_look_ahead(session);
}

int session_prepare(struct cordon_session *session, struct cordon_function *const *functions,
                    size_t count, struct message *why)
{
    if (session->pending) {
        return message_set(why, -EBUSY, "calls of the session are in flight");
    }
    int r = session_station(session, why);
    for (size_t i = 0; i < count && r == 0; i++) {
        r = functions[i]->cell == session->cell
                ? session_bind(session, functions[i], why)
                : message_set(why, -EINVAL, "function %zu is bound in another cell", i);
    }
    if (r == 0) {
        session_tend(session);
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
