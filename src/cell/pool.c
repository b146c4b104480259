/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/pool.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cell/cell.h"
#include "cell/fork_mark.h"
#include "cell/local_worker.h"
#include "cell/session.h"
#include "cell/thread.h"

static _Atomic uint32_t thread_numbers;
_Thread_local struct cell_thread cell_thread_self __attribute__((tls_model("initial-exec")));

uint32_t cell_thread_count(void)
{
    cell_thread_self.number =
        1 + atomic_fetch_add_explicit(&thread_numbers, 1, memory_order_relaxed);
    return cell_thread_self.number;
}

/* End the session's worker from outside, whatever it does now. */
void pool_condemn(struct cordon_session *session)
{
    if (session && session->station) {
        station_condemn(session->station, LANE_CLOSED);
    }
}

void cell_session_interrupt(struct cordon_session *session)
{
    (void)pthread_mutex_lock(&session->cell->lock);
    pool_condemn(session);
    (void)pthread_mutex_unlock(&session->cell->lock);
}

/* Wait until nobody holds the session: its call has ended by the verdict. */
void pool_end(struct cordon_session *session)
{
    if (!session) {
        return;
    }
    (void)session_enter(session, CLOCK_NEVER);
    session_leave(session);
    session_free(session);
}

int cell_session_make(struct cordon_cell *cell, struct cordon_session **ret_session,
                      struct message *why)
{
    uint32_t slot = cell_slot(cell);
    int r = 0;
    (void)pthread_mutex_lock(&cell->lock);
    struct cordon_session *session = atomic_load_explicit(&cell->pool[slot], memory_order_relaxed);
    if (!session) {
        r = session_new(cell, false, &session, why);
        if (r == 0) {
            /* Pairs with the acquire in cell_session(): the session before its address. */
            atomic_store_explicit(&cell->pool[slot], session, memory_order_release);
        }
    }
    (void)pthread_mutex_unlock(&cell->lock);
    *ret_session = session;
    return r;
}

static bool serves(const struct cordon_session *session, uint32_t number)
{
    return session && atomic_load_explicit(&session->number, memory_order_relaxed) == number;
}

struct cordon_session *cell_session_of_worker(struct cordon_cell *cell, uint32_t number)
{
    for (uint32_t i = 0; i < cell->options.workers; i++) {
        struct cordon_session *session = atomic_load_explicit(&cell->pool[i], memory_order_acquire);
        if (serves(session, number)) {
            return session;
        }
    }
    (void)pthread_mutex_lock(&cell->lock);
    struct cordon_session *session = cell->sessions;
    while (session && !serves(session, number)) {
        session = session->next;
    }
    (void)pthread_mutex_unlock(&cell->lock);
    return session;
}

int cell_session_open(struct cordon_cell *cell, struct cordon_session **ret_session,
                      struct message *why)
{
    int r = outcome_errno(cell_usable(cell, why));
    if (r != 0) {
        return r;
    }
    struct cordon_session *session = NULL;
    (void)pthread_mutex_lock(&cell->lock);
    r = cell->session_count < cell->options.sessions
            ? session_new(cell, true, &session, why)
            : message_set(why, -EAGAIN, "%u sessions are open, the most of this cell (sessions)",
                          cell->options.sessions);
    if (r == 0) {
        session->next = cell->sessions;
        cell->sessions = session;
        cell->session_count++;
    }
    (void)pthread_mutex_unlock(&cell->lock);
    if (r != 0) {
        return r;
    }
    (void)session_enter(session, CLOCK_NEVER);
    r = session_station(session, why);
    session_leave(session);
    if (r != 0) {
        cell_session_close(session);
        return outcome_errno(r);
    }
    *ret_session = session;
    return 0;
}

/* What the session counted stays with the cell. */
static void keep_counts(struct cordon_cell *cell, const struct cordon_session *session)
{
    cell->gone.calls += atomic_load_explicit(&session->counts.calls, memory_order_relaxed);
    cell->gone.refused += atomic_load_explicit(&session->counts.refused, memory_order_relaxed);
    for (int i = 0; i < 8; i++) {
        cell->gone.ended[i] +=
            atomic_load_explicit(&session->counts.ended[i], memory_order_relaxed);
    }
}

void cell_session_close(struct cordon_session *session)
{
    struct cordon_cell *cell = session->cell;
    (void)pthread_mutex_lock(&cell->lock);
    struct cordon_session **link = &cell->sessions;
    while (*link != session) {
        link = &(*link)->next;
    }
    *link = session->next;
    cell->session_count--;
    pool_condemn(session);
    keep_counts(cell, session);
    (void)pthread_mutex_unlock(&cell->lock);
    pool_end(session);
}

static void add_counts(const struct cordon_session *session, struct cordon_cell_stats *stats)
{
    if (!session) {
        return;
    }
    stats->calls += atomic_load_explicit(&session->counts.calls, memory_order_relaxed);
    stats->refused += atomic_load_explicit(&session->counts.refused, memory_order_relaxed);
    for (int i = 0; i < 8; i++) {
        stats->ended[i] += atomic_load_explicit(&session->counts.ended[i], memory_order_relaxed);
    }
    stats->workers += session->station && !station_broken(session->station);
}

void cell_stats(const struct cordon_cell *cell, struct cordon_cell_stats *ret_stats)
{
    struct cordon_cell *locked = (struct cordon_cell *)(uintptr_t)cell;
    *ret_stats = (struct cordon_cell_stats){0};
    if (!fork_mark_intact(cell->generation)) {
        return; /* the parent's lanes are not here, and its lock may be held by nobody */
    }
    (void)pthread_mutex_lock(&locked->lock);
    ret_stats->calls = cell->gone.calls;
    ret_stats->refused = cell->gone.refused;
    memcpy(ret_stats->ended, cell->gone.ended, sizeof ret_stats->ended);
    for (uint32_t i = 0; i < cell->options.workers; i++) {
        add_counts(atomic_load_explicit(&cell->pool[i], memory_order_acquire), ret_stats);
    }
    for (const struct cordon_session *s = cell->sessions; s; s = s->next) {
        add_counts(s, ret_stats);
    }
    ret_stats->spares = cell->spares.count;
    (void)pthread_mutex_unlock(&locked->lock);
    /* Relaxed, as everywhere with numbers for people. */
    ret_stats->started = atomic_load_explicit(&cell->life_counts.started, memory_order_relaxed);
    ret_stats->promoted = atomic_load_explicit(&cell->life_counts.promoted, memory_order_relaxed);
    ret_stats->recycled = atomic_load_explicit(&cell->life_counts.recycled, memory_order_relaxed);
    ret_stats->starts_failed =
        atomic_load_explicit(&cell->life_counts.starts_failed, memory_order_relaxed);
    ret_stats->queued = atomic_load_explicit(&cell->queue.waiting, memory_order_relaxed);
    gate_stats(&locked->gate, ret_stats);
    ret_stats->quarantined =
        cell->options.level == CORDON_LEVEL_THREAD ? local_worker_quarantined() : 0;
}
