/* SPDX-License-Identifier: Apache-2.0 */
#include "base/futex.h"

#include "base/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc of Debian 12 knows the number; the kernel has it since 5.16. */
_Static_assert(SYS_futex_waitv == 449, "one number on every architecture");

/* Set once futex_waitv was refused. Relaxed: whoever does not see it yet asks the kernel once more. */
static _Atomic bool waitv_absent;

/* What a failed wait means to a caller that will look at its words again. */
static int wait_result(long result)
{
    return result < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

int futex_wait(const _Atomic uint32_t *word, uint32_t seen, uint64_t until_ns)
{
    struct timespec until = clock_timespec(until_ns);
    /* WAIT_BITSET is the one whose timeout is absolute, and CLOCK_MONOTONIC is its default. */
    return wait_result(syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen,
                               until_ns == CLOCK_NEVER ? NULL : &until, NULL,
                               FUTEX_BITSET_MATCH_ANY));
}

static int wait_blind(const _Atomic uint32_t *word, uint32_t seen, uint64_t until_ns)
{
    uint64_t slice_ns = clock_after_ns(FUTEX_BLIND_NS);
    if (until_ns <= slice_ns) {
        return futex_wait(word, seen, until_ns);
    }
    (void)futex_wait(word, seen, slice_ns);
    return 0;
}

int futex_wait_two(const _Atomic uint32_t *first, uint32_t first_seen,
                   const _Atomic uint32_t *second, uint32_t second_seen, uint64_t until_ns)
{
    if (atomic_load_explicit(&waitv_absent, memory_order_relaxed)) {
        return wait_blind(first, first_seen, until_ns);
    }
    struct futex_waitv waiters[2] = {
        {.val = first_seen, .uaddr = (uintptr_t)first, .flags = FUTEX_32},
        {.val = second_seen, .uaddr = (uintptr_t)second, .flags = FUTEX_32},
    };
    struct timespec until = clock_timespec(until_ns);
    long result = syscall(SYS_futex_waitv, waiters, 2, 0, until_ns == CLOCK_NEVER ? NULL : &until,
                          CLOCK_MONOTONIC);
    if (result < 0 && (errno == ENOSYS || errno == EPERM)) {
        atomic_store_explicit(&waitv_absent, true, memory_order_relaxed);
        return wait_blind(first, first_seen, until_ns);
    }
    return wait_result(result);
}

void futex_wake(const _Atomic uint32_t *word, int count)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}
