/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FUTEX_H
#define BASE_FUTEX_H

/*
 * Futexes between processes: words in shared memory, never the private kind. A wait always has an end.
 * Waiting works on memory that is mapped read-only.
 */

#include <stdatomic.h>
#include <stdint.h>

/*
 * Wait while @word is @seen, until @until_ns (CLOCK_MONOTONIC).
 *
 * Returns 0 when woken, interrupted, or when the word differs: look again; -ETIMEDOUT.
 */
int futex_wait(const _Atomic uint32_t *word, uint32_t seen, uint64_t until_ns);

/*
 * As futex_wait(), on two words at once (futex_waitv). Where the kernel or a filter refuses that, it
 * waits on the first word alone in slices of FUTEX_BLIND_NS, and returns 0 after each.
 */
#define FUTEX_BLIND_NS 2000000ull
int futex_wait_two(const _Atomic uint32_t *first, uint32_t first_seen,
                   const _Atomic uint32_t *second, uint32_t second_seen, uint64_t until_ns);

/* Wake at most @count waiters. Never blocks. */
void futex_wake(const _Atomic uint32_t *word, int count);

#endif
