/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/line.h"

#include <errno.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/futex.h"

#define LOOK_NS (20 * CLOCK_MS_NS) /* between two looks of a waiting thread */

struct line_place {
    struct line_place *next;
    _Atomic uint32_t is_first;
};

void line_init(struct line *line)
{
    *line = (struct line){.first = NULL};
    (void)pthread_mutex_init(&line->lock, NULL);
}

void line_deinit(struct line *line)
{
    (void)pthread_mutex_destroy(&line->lock);
}

/* Relaxed: the number is a bound and a hint; the places are guarded by the lock. */
static bool admit(struct line_bound *bound)
{
    if (!bound) {
        return true;
    }
    if (atomic_fetch_add_explicit(&bound->waiting, 1, memory_order_relaxed) >= bound->most) {
        (void)atomic_fetch_sub_explicit(&bound->waiting, 1, memory_order_relaxed);
        return false;
    }
    return true;
}

static void append(struct line *line, struct line_place *place)
{
    if (line->last) {
        line->last->next = place;
    } else {
        line->first = place;
        atomic_store_explicit(&place->is_first, 1, memory_order_relaxed);
    }
    line->last = place;
    (void)atomic_fetch_add_explicit(&line->waiting, 1, memory_order_relaxed);
}

/* Whoever is first now is told under the lock, which it needs to leave: its place is still there. */
static void leave(struct line *line, struct line_place *place)
{
    (void)pthread_mutex_lock(&line->lock);
    struct line_place *previous = NULL;
    struct line_place **link = &line->first;
    while (*link != place) {
        previous = *link;
        link = &previous->next;
    }
    *link = place->next;
    if (line->last == place) {
        line->last = previous;
    }
    (void)atomic_fetch_sub_explicit(&line->waiting, 1, memory_order_relaxed);
    if (!previous && line->first) {
        /* Pairs with the acquire below. */
        atomic_store_explicit(&line->first->is_first, 1, memory_order_release);
        futex_wake(&line->first->is_first, 1);
    }
    (void)pthread_mutex_unlock(&line->lock);
}

uint64_t line_look_next(const struct line_look *look)
{
    return look->look ? clock_after_ns(LOOK_NS) : CLOCK_NEVER;
}

static uint64_t slice_end(uint64_t deadline_ns, const struct line_look *look)
{
    uint64_t look_ns = line_look_next(look);
    return look_ns < deadline_ns ? look_ns : deadline_ns;
}

/* A slice is over. Returns 0: wait on. */
static int look_at(uint64_t slice_ns, uint64_t deadline_ns, const struct line_look *look)
{
    if (slice_ns == deadline_ns) {
        return -ETIMEDOUT;
    }
    return look->look(look->context) != 0 ? -EINTR : 0;
}

static int wait_for_turn(struct line_place *place, uint64_t deadline_ns,
                         const struct line_look *look)
{
    int r = 0;
    while (r == 0 && atomic_load_explicit(&place->is_first, memory_order_acquire) == 0) {
        uint64_t slice_ns = slice_end(deadline_ns, look);
        if (futex_wait(&place->is_first, 0, slice_ns) == -ETIMEDOUT) {
            r = look_at(slice_ns, deadline_ns, look);
        }
    }
    return r;
}

static int wait_for_lock(struct lean_lock *lock, uintptr_t self, uint64_t deadline_ns,
                         const struct line_look *look)
{
    int r = 0;
    while (r == 0) {
        uint64_t slice_ns = slice_end(deadline_ns, look);
        if (lean_lock_enter(lock, self, slice_ns) == 0) {
            return 0;
        }
        r = look_at(slice_ns, deadline_ns, look);
    }
    return r;
}

/* An eighth of the way to the newest: a few waits are enough to follow a change. */
static void note_wait(struct line_bound *bound, uint64_t since_ns)
{
    uint64_t us = (clock_now_ns() - since_ns) / 1000;
    uint64_t before = atomic_load_explicit(&bound->wait_us, memory_order_relaxed);
    uint64_t after = before - before / 8 + (us < UINT32_MAX ? us : UINT32_MAX) / 8;
    atomic_store_explicit(&bound->wait_us, (uint32_t)(after < UINT32_MAX ? after : UINT32_MAX),
                          memory_order_relaxed);
}

int line_enter(struct line *line, struct line_bound *bound, struct lean_lock *lock, uintptr_t self,
               uint64_t deadline_ns, const struct line_look *look)
{
    struct line_place place = {.next = NULL};
    (void)pthread_mutex_lock(&line->lock);
    if (!line->first && lean_lock_enter(lock, self, 0) == 0) {
        (void)pthread_mutex_unlock(&line->lock);
        return 0;
    }
    if (!admit(bound)) {
        (void)pthread_mutex_unlock(&line->lock);
        return -EAGAIN;
    }
    append(line, &place);
    (void)pthread_mutex_unlock(&line->lock);
    uint64_t since_ns = bound ? clock_now_ns() : 0;
    int r = wait_for_turn(&place, deadline_ns, look);
    r = r == 0 ? wait_for_lock(lock, self, deadline_ns, look) : r;
    leave(line, &place);
    if (bound) {
        (void)atomic_fetch_sub_explicit(&bound->waiting, 1, memory_order_relaxed);
        note_wait(bound, since_ns);
    }
    return r;
}

uint32_t line_hint_ms(const struct line_bound *bound)
{
    return 1 + atomic_load_explicit(&bound->wait_us, memory_order_relaxed) / 1000;
}
