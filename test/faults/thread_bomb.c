/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <pthread.h>
#include <unistd.h>

#define THREADS     1500
#define STACK_BYTES (64u * 1024u)

static void *idle(void *context)
{
    for (;;) {
        (void)pause();
    }
    return context;
}

/* Returns 1 if nothing stopped it. */
int fault_thread_bomb(int value)
{
    int threads = 0;
    pthread_attr_t attributes;
    (void)value;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        threads += pthread_create(&thread, &attributes, idle, NULL) == 0;
    }
    return threads == THREADS;
}
