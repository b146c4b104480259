/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_QUEUE_H
#define INVOKE_QUEUE_H

/*
 * Queue: callbacks (`anythread`) that came on threads which the library started. Such a thread waits here,
 * with its arguments on its own stack, until the thread that executes requests takes the callback and
 * answers it (ENGINE_DISPATCH), or until its time is over.
 *
 * Threads: guests - threads of the library - push and wait; one other takes and answers.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct closure;
struct queue;

/* One callback: lies in its guest's frame. */
struct queued {
    struct closure *closure;
    void *ret_value;
    void **arguments;
    struct queued *next;
    _Atomic uint32_t state; /* enum of queue.c; futex word */
};

/*
 * @came  Called on a guest's thread when it has lined up, with the queue locked: never once the queue is
 *        closed. What it uses may be gone from then on.
 */
int queue_new(void (*came)(void *context), void *context, struct queue **ret_queue);

/* Whether a thread of the library is in a callback now. NULL is fine. */
bool queue_has_guests(const struct queue *queue);
/* Let all guests go, and those who come later at once (-ESHUTDOWN). Returns false if one of them stays. */
bool queue_close(struct queue *queue);

/*
 * Let all guests go (-ESHUTDOWN) and free it, unless one of them stays: then it is left to them. NULL is
 * fine.
 */
void queue_free(struct queue *queue);

/* Guest: line up. Returns 0, -E2BIG (LIMIT_QUEUED_CALLBACKS), -ESHUTDOWN. */
int queue_push(struct queue *queue, struct queued *queued);

/*
 * Guest, after queue_push(): wait for the answer. What was taken is waited for without end: whoever took it
 * is at work. Returns 0: answered, @queued->ret_value is written; -ETIMEDOUT, -ESHUTDOWN.
 */
int queue_await(struct queue *queue, struct queued *queued, uint64_t until_ns);

/* The oldest callback that nobody has taken; NULL: none. queue_answer() must follow. */
struct queued *queue_take(struct queue *queue);

/* Its guest goes on; @queued is no more. */
void queue_answer(struct queued *queued);

/* Callbacks that got their failure value since this was asked last. Returns true if there were any. */
struct queue_losses {
    uint32_t turned_away; /* LIMIT_QUEUED_CALLBACKS */
    uint32_t late;        /* LIMIT_QUEUED_MS */
};
bool queue_losses(struct queue *queue, struct queue_losses *ret_losses);

/* Changes whenever a callback comes: a futex word. */
const _Atomic uint32_t *queue_arrivals(const struct queue *queue);

#endif
