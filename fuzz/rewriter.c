/* SPDX-License-Identifier: Apache-2.0 */
#include "rewriter.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS 16
#define FIRSTS 16 /* for one second value */

static _Atomic(_Atomic uint64_t *) place_now;
static _Atomic uint64_t values[2];
static atomic_uint rounds_wanted;
static atomic_uint rounds_seen;

static void *rewrite(void *context)
{
    for (;;) {
        /* The round first: who sees it acknowledged knows that an older place is not used any more. */
        atomic_store(&rounds_seen, atomic_load(&rounds_wanted));
        _Atomic uint64_t *place = atomic_load(&place_now);
        if (!place) {
            (void)usleep(20);
            continue;
        }
        uint64_t first = atomic_load(&values[0]);
        uint64_t second = atomic_load(&values[1]);
        for (int i = 0; i < ROUNDS; i++) {
            atomic_store_explicit(place, second, memory_order_relaxed);
            for (int j = 0; j < FIRSTS; j++) {
                atomic_store_explicit(place, first, memory_order_relaxed);
            }
        }
    }
    return context;
}

void rewriter_begin(_Atomic uint64_t *place, uint64_t first, uint64_t second)
{
    static int begun;
    pthread_t thread;
    if (!begun++ && (pthread_create(&thread, NULL, rewrite, NULL) != 0 || pthread_detach(thread))) {
        abort();
    }
    rewriter_end();
    atomic_store(&values[0], first);
    atomic_store(&values[1], second);
    atomic_store(&place_now, place);
}

void rewriter_end(void)
{
    atomic_store(&place_now, NULL);
    unsigned wanted = atomic_fetch_add(&rounds_wanted, 1) + 1;
    while (atomic_load(&rounds_seen) != wanted) {
        (void)sched_yield();
    }
}
