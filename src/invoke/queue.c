/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/queue.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/limits.h"

#define LEAVE_PATIENCE_NS (200 * CLOCK_MS_NS)

enum queued_state {
    QUEUED_WAITING, /* guarded by the lock until it is left */
    QUEUED_TAKEN,
    QUEUED_ANSWERED,
    QUEUED_SENT_AWAY,
};

struct queue {
    void (*came)(void *context);
    void *context;
    _Atomic uint32_t arrivals; /* futex word */
    _Atomic uint32_t guests;   /* futex word: threads inside push and await */

    pthread_mutex_t lock;
    struct queued *first; /* guarded by lock, as all that follows */
    struct queued *last;
    uint32_t count;
    struct queue_losses losses;
    bool closed;
};

int queue_new(void (*came)(void *context), void *context, struct queue **ret_queue)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue) {
        return -ENOMEM;
    }
    queue->came = came;
    queue->context = context;
    (void)pthread_mutex_init(&queue->lock, NULL);
    *ret_queue = queue;
    return 0;
}

static void set_state(struct queued *queued, enum queued_state state)
{
    /* Pairs with the acquire in queue_await(): the result before the state. It may be gone then. */
    atomic_store_explicit(&queued->state, state, memory_order_release);
    futex_wake(&queued->state, 1);
}

static struct queued *pop(struct queue *queue)
{
    struct queued *queued = queue->first;
    if (queued) {
        queue->first = queued->next;
        queue->last = queue->first ? queue->last : NULL;
        queue->count--;
    }
    return queued;
}

static void remove_queued(struct queue *queue, const struct queued *queued)
{
    struct queued *before = NULL;
    struct queued *at = queue->first;
    while (at != queued) {
        before = at;
        at = at->next;
    }
    *(before ? &before->next : &queue->first) = queued->next;
    queue->last = queue->last == queued ? before : queue->last;
    queue->count--;
}

static void leave(struct queue *queue)
{
    /* release: what a guest did here comes before queue_free() frees it. */
    if (atomic_fetch_sub_explicit(&queue->guests, 1, memory_order_release) == 1) {
        futex_wake(&queue->guests, INT_MAX);
    }
}

int queue_push(struct queue *queue, struct queued *queued)
{
    (void)atomic_fetch_add_explicit(&queue->guests, 1, memory_order_relaxed);
    atomic_init(&queued->state, QUEUED_WAITING);
    queued->next = NULL;
    (void)pthread_mutex_lock(&queue->lock);
    int r = queue->closed ? -ESHUTDOWN : queue->count >= LIMIT_QUEUED_CALLBACKS ? -E2BIG : 0;
    if (r == 0) {
        *(queue->last ? &queue->last->next : &queue->first) = queued;
        queue->last = queued;
        queue->count++;
        queue->came(queue->context);
    }
    queue->losses.turned_away += r == -E2BIG;
    (void)pthread_mutex_unlock(&queue->lock);
    if (r != 0) {
        leave(queue);
        return r;
    }
    /* Pairs with the acquire of whoever waits for arrivals, who takes the lock then anyway. */
    (void)atomic_fetch_add_explicit(&queue->arrivals, 1, memory_order_release);
    futex_wake(&queue->arrivals, 1);
    return 0;
}

/* Its time is over: true if nobody has taken it, and nobody will. */
static bool give_up(struct queue *queue, struct queued *queued)
{
    (void)pthread_mutex_lock(&queue->lock);
    /* relaxed: WAITING is left under the lock. */
    bool waiting = atomic_load_explicit(&queued->state, memory_order_relaxed) == QUEUED_WAITING;
    if (waiting) {
        remove_queued(queue, queued);
        queue->losses.late++;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return waiting;
}

int queue_await(struct queue *queue, struct queued *queued, uint64_t until_ns)
{
    int r = -EINPROGRESS;
    while (r == -EINPROGRESS) {
        /* Pairs with the release in set_state(). */
        uint32_t state = atomic_load_explicit(&queued->state, memory_order_acquire);
        if (state == QUEUED_ANSWERED) {
            r = 0;
        } else if (state == QUEUED_SENT_AWAY) {
            r = -ESHUTDOWN;
        } else if (state == QUEUED_TAKEN) {
            (void)futex_wait(&queued->state, state, CLOCK_NEVER);
        } else if (futex_wait(&queued->state, state, until_ns) == -ETIMEDOUT &&
                   give_up(queue, queued)) {
            r = -ETIMEDOUT;
        }
    }
    leave(queue);
    return r;
}

struct queued *queue_take(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    struct queued *queued = pop(queue);
    if (queued) {
        /* relaxed: the guest looks again under the lock before it believes WAITING. */
        atomic_store_explicit(&queued->state, QUEUED_TAKEN, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return queued;
}

void queue_answer(struct queued *queued)
{
    set_state(queued, QUEUED_ANSWERED);
}

bool queue_losses(struct queue *queue, struct queue_losses *ret_losses)
{
    (void)pthread_mutex_lock(&queue->lock);
    *ret_losses = queue->losses;
    queue->losses = (struct queue_losses){0};
    (void)pthread_mutex_unlock(&queue->lock);
    return ret_losses->turned_away + ret_losses->late > 0;
}

const _Atomic uint32_t *queue_arrivals(const struct queue *queue)
{
    return &queue->arrivals;
}

static bool await_empty(const struct queue *queue)
{
    uint64_t until_ns = clock_after_ns(LEAVE_PATIENCE_NS);
    uint32_t guests;
    while ((guests = atomic_load_explicit(&queue->guests, memory_order_acquire)) != 0) {
        if (futex_wait(&queue->guests, guests, until_ns) == -ETIMEDOUT) {
            return false;
        }
    }
    return true;
}

bool queue_has_guests(const struct queue *queue)
{
    /* Relaxed: one that comes or leaves at this moment may be seen, or not. */
    return queue && atomic_load_explicit(&queue->guests, memory_order_relaxed) != 0;
}

bool queue_close(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    for (struct queued *queued = pop(queue); queued; queued = pop(queue)) {
        set_state(queued, QUEUED_SENT_AWAY);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return await_empty(queue);
}

void queue_free(struct queue *queue)
{
    if (queue && queue_close(queue)) {
        (void)pthread_mutex_destroy(&queue->lock);
        free(queue);
    }
}
