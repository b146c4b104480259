/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_LINE_H
#define CELL_LINE_H

/*
 * Line: callers that wait for a session, first come, first served. The first of them waits for the
 * session's lock itself, the others for their turn to be first; nobody who comes later passes them.
 *
 * Threads: any.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lean_lock.h"

struct line_place;

struct line {
    pthread_mutex_t lock;     /* guards the places */
    struct line_place *first; /* on its waiter's stack */
    struct line_place *last;
    _Atomic uint32_t waiting; /* how many; read without the lock by those who come */
};

/* Of a cell: how many may wait in all its bounded lines together, and how that goes. */
struct line_bound {
    _Atomic uint32_t waiting;
    uint32_t most;
    _Atomic uint32_t wait_us; /* how long it lately took to get through, smoothed */
};

/* What who waits does from time to time; nonzero: it waits no longer. look NULL: nothing. */
struct line_look {
    int (*look)(void *context);
    void *context;
};

/* Until when to wait before the next look. */
uint64_t line_look_next(const struct line_look *look);

void line_init(struct line *line);
void line_deinit(struct line *line);

/*
 * Enter @lock, behind all who wait already. @bound: NULL: as many as come may wait.
 * @self  as lean_lock_enter() has it.
 * Returns 0; -ETIMEDOUT; -EAGAIN: too many wait; -EINTR: @look said so.
 */
int line_enter(struct line *line, struct line_bound *bound, struct lean_lock *lock, uintptr_t self,
               uint64_t deadline_ns, const struct line_look *look);

/* True if somebody waits: take your place behind. */
static inline bool line_is_waiting(const struct line *line)
{
    /* relaxed: who comes at the same moment comes before or after. */
    return atomic_load_explicit(&line->waiting, memory_order_relaxed) != 0;
}

/* When trying again may help. */
uint32_t line_hint_ms(const struct line_bound *bound);

#endif
