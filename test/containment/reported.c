/* SPDX-License-Identifier: Apache-2.0 */
/* A library whose ends are reported. */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default"), noinline))

int reported_crash(int value);
int reported_exit(int status);
int reported_hang(int threads);
int reported_hang_blocked(void);
int reported_overflow(int depth);
int reported_overflow_far(int depth);
int reported_secret(const char *name, const char *password);
int reported_bytes(const uint8_t *data, uint32_t length);
int reported_add(int a, int b);
int reported_open(void **object);
int reported_use(void *object);

static __attribute__((noinline)) int write_to(volatile int *place, int value)
{
    *place = value;
    return value + 1;
}

EXPORTED int reported_crash(int value)
{
    return write_to((volatile int *)24, value) + 1;
}

static __attribute__((noinline)) int leave(int status)
{
    exit(status);
}

EXPORTED int reported_exit(int status)
{
    return leave(status) + 1;
}

static void *wait_for_ever(void *unused)
{
    for (;;) {
        (void)pause();
    }
    return unused;
}

/* Spins beside a thread that sleeps; -1: no thread was allowed. */
EXPORTED int reported_hang(int threads)
{
    pthread_t thread;
    for (int i = 0; i < threads; i++) {
        if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0) {
            return -1;
        }
    }
    for (;;) {
        __asm__ volatile("");
    }
}

EXPORTED int reported_hang_blocked(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    return reported_hang(0);
}

EXPORTED int reported_overflow(int depth)
{
    volatile char frame[1000];
    frame[0] = (char)depth;
    return reported_overflow(depth + 1) + frame[0];
}

EXPORTED int reported_overflow_far(int depth)
{
    volatile char frame[20000];
    frame[0] = (char)depth;
    return reported_overflow_far(depth + 1) + frame[0];
}

EXPORTED int reported_secret(const char *name, const char *password)
{
    return write_to((volatile int *)24, name[0] + password[0]);
}

EXPORTED int reported_bytes(const uint8_t *data, uint32_t length)
{
    return write_to((volatile int *)24, data[0] + (int)length);
}

EXPORTED int reported_add(int a, int b)
{
    return a + b;
}

EXPORTED int reported_open(void **object)
{
    static int it;
    *object = &it;
    return 0;
}

EXPORTED int reported_use(void *object)
{
    return write_to((volatile int *)24, object != NULL);
}
