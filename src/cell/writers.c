/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/writers.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

/* Relaxed throughout: each word stands alone. */

static uint64_t now_seconds(void)
{
    return clock_now_ns() / CLOCK_SECOND_NS;
}

static uint64_t word_of(pid_t pid)
{
    return (now_seconds() + WRITERS_SECONDS) << 32 | (uint32_t)pid;
}

/* It may be a zombie of whoever reaps here; a number that means somebody else by now counts until its time. */
static bool has_ended(pid_t pid)
{
    OWN_FD pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        return errno == ESRCH || errno == EINVAL;
    }
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    return poll(&end, 1, 0) == 1;
}

static bool is_free(uint64_t word)
{
    pid_t pid = (pid_t)(uint32_t)word;
    return word == 0 || word >> 32 <= now_seconds() || (pid > 0 && has_ended(pid));
}

bool writers_allow(struct writers *writers, uint32_t *ret_place)
{
    for (uint32_t i = 0; i < WRITERS_MAX; i++) {
        uint64_t word = atomic_load_explicit(&writers->words[i], memory_order_relaxed);
        if (is_free(word) &&
            atomic_compare_exchange_strong_explicit(&writers->words[i], &word, word_of(0),
                                                    memory_order_relaxed, memory_order_relaxed)) {
            *ret_place = i;
            return true;
        }
    }
    return false;
}

void writers_started(struct writers *writers, uint32_t place, pid_t pid)
{
    atomic_store_explicit(&writers->words[place], pid > 0 ? word_of(pid) : 0, memory_order_relaxed);
}
