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

static _Thread_local struct line_look thread_look;

int session_new(struct cordon_cell *cell, bool is_explicit, struct cordon_session **ret_session,
                struct message *why)
{
    struct cordon_session *session = calloc(1, sizeof *session);
    int r = session ? 0 : -ENOMEM;
    if (r == 0) {
        session->events = -1;
        session->unwatched_ns = CLOCK_NEVER;
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

void session_on_wait(const struct line_look *look)
{
    thread_look = *look;
}

const struct line_look *session_look(void)
{
    return &thread_look;
}

static int enter(struct cordon_session *session, struct line_bound *bound, uint64_t deadline_ns,
                 const struct line_look *look)
{
    uintptr_t self = cell_thread_mark();
    /* relaxed: a thread reads its own mark here only if it wrote it itself. */
    if (atomic_load_explicit(&session->holder, memory_order_relaxed) == self) {
        session->depth++;
        return 1;
    }
    if (line_is_waiting(&session->line) || lean_lock_enter(&session->lock, self, 0) < 0) {
        int r = line_enter(&session->line, bound, &session->lock, self, deadline_ns, look);
        if (r < 0) {
            return r;
        }
    }
    atomic_store_explicit(&session->holder, self, memory_order_relaxed);
    return 0;
}

int session_enter(struct cordon_session *session, uint64_t deadline_ns)
{
    return enter(session, NULL, deadline_ns, &(struct line_look){.look = NULL});
}

int session_enter_looking(struct cordon_session *session, uint64_t deadline_ns)
{
    return enter(session, NULL, deadline_ns, &thread_look);
}

int session_enter_queue(struct cordon_session *session, uint64_t deadline_ns)
{
    return enter(session, session->is_explicit ? NULL : &session->cell->queue, deadline_ns,
                 &thread_look);
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
    if (entered == -EINTR) {
        return message_set(why, -EINTR, "interrupted while other threads' calls had the worker");
    }
    return message_set(why, CORDON_BUSY, "no worker became free before the deadline");
}
