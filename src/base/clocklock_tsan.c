/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only in builds with ThreadSanitizer, which does not see pthread_mutex_clocklock() and would take what
 * the mutex guards for unguarded: the same by a function that it sees.
 */
#include <pthread.h>
#include <time.h>

#include "base/clock.h"

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * CLOCK_SECOND_NS + (uint64_t)now.tv_nsec;
}

int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    uint64_t until_ns = (uint64_t)until->tv_sec * CLOCK_SECOND_NS + (uint64_t)until->tv_nsec;
    uint64_t now_ns = clock_ns(clock);
    uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec deadline = clock_timespec(clock_ns(CLOCK_REALTIME) + left_ns);
    return pthread_mutex_timedlock(mutex, &deadline);
}
