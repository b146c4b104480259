/* SPDX-License-Identifier: Apache-2.0 */
/* The worker of a session: taken when it is needed, replaced when it broke or is worn, given up. */
#include "cell/session.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "cell/batch.h"
#include "cell/call.h"
#include "cell/cell.h"
#include "cell/recruit.h"
#include "cell/station_internal.h"
#include "library/library.h"

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
    bool stopped = r == -EINTR; /* by who waited: it says nothing of the library */
    if (refused && cell->attachment) {
        session->retry_after_ms =
            atomic_load_explicit(&cell->attachment->retry_ms, memory_order_relaxed);
    }
    if (r == 0) {
        starts_succeeded(cell);
    } else if (!refused && !stopped) {
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

bool session_is_ready(struct cordon_session *session, const struct cordon_function *function)
{
    return session->depth == 0 && has_worker(session) && is_bound(session, function) &&
           session->on_start_done >= on_start_count(session->cell) && !recycle_look(session);
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

bool session_set_ringing(struct cordon_session *session, bool on)
{
    session->quiet = !on;
    if (on) {
        batch_watch(session);
    }
    return session->station && session->station->lane &&
           (lane_set_ringing(session->station->lane, on) ||
            (on && station_broken(session->station)));
}
