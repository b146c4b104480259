/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/life.h"

#include <assert.h>

typedef void step_fn(struct life *life, struct life_counts *counts);

static void on_ordered(struct life *life, struct life_counts *counts)
{
    (void)counts;
    life->state = LIFE_STARTING;
}

static void on_answered(struct life *life, struct life_counts *counts)
{
    (void)counts;
    life->state = LIFE_READY;
}

/* Relaxed, here and below: numbers for people, who want no order. */
static void on_start_failed(struct life *life, struct life_counts *counts)
{
    life->state = LIFE_ENDED;
    (void)atomic_fetch_add_explicit(&counts->starts_failed, 1, memory_order_relaxed);
}

static void on_adopted(struct life *life, struct life_counts *counts)
{
    life->state = LIFE_SERVING;
    (void)atomic_fetch_add_explicit(&counts->started, 1, memory_order_relaxed);
}

static void on_promoted(struct life *life, struct life_counts *counts)
{
    on_adopted(life, counts);
    (void)atomic_fetch_add_explicit(&counts->promoted, 1, memory_order_relaxed);
}

static void on_wears(struct life *life, struct life_counts *counts)
{
    (void)counts;
    life->state = LIFE_WORN;
}

static void on_recycled(struct life *life, struct life_counts *counts)
{
    life->state = LIFE_ENDED;
    (void)atomic_fetch_add_explicit(&counts->recycled, 1, memory_order_relaxed);
}

static void on_end(struct life *life, struct life_counts *counts)
{
    (void)counts;
    life->state = LIFE_ENDED;
}

/* Empty: cannot happen; all events are the host's own. */
static step_fn *const steps[LIFE_STATE_COUNT][LIFE_EVENT_COUNT] = {
    [LIFE_NOTHING][LIFE_ORDERED] = on_ordered,

    [LIFE_STARTING][LIFE_ANSWERED] = on_answered,
    [LIFE_STARTING][LIFE_BROKE] = on_start_failed,
    [LIFE_STARTING][LIFE_DISMISSED] = on_end,

    [LIFE_READY][LIFE_ADOPTED] = on_adopted,
    [LIFE_READY][LIFE_PROMOTED] = on_promoted,
    [LIFE_READY][LIFE_BROKE] = on_end,
    [LIFE_READY][LIFE_DISMISSED] = on_end,

    [LIFE_SERVING][LIFE_WEARS] = on_wears,
    [LIFE_SERVING][LIFE_BROKE] = on_end,
    [LIFE_SERVING][LIFE_DISMISSED] = on_end,

    [LIFE_WORN][LIFE_RECYCLED] = on_recycled,
    [LIFE_WORN][LIFE_BROKE] = on_end,
    [LIFE_WORN][LIFE_DISMISSED] = on_end,

    [LIFE_ENDED][LIFE_DISMISSED] = on_end,
};

void life_step(struct life *life, enum life_event event, struct life_counts *counts)
{
    step_fn *step = steps[life->state][event];
    assert(step);
    step(life, counts);
}
