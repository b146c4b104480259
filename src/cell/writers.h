/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_WRITERS_H
#define CELL_WRITERS_H

/*
 * Writers: the programs that write reports of what ended in this process. They go on by themselves, nobody
 * waits for them; a host that crashes faster than they write shall not fill the machine with them.
 *
 * Threads: any. Nothing is allocated, no lock is taken: who asks may have died inside the allocator.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WRITERS_MAX 5u
/* After so long one counts no more, whatever became of it: its own limit is SYMBOLIZE_SECONDS. */
#define WRITERS_SECONDS 60u

/* All zero: none. One word each: until which second it counts, and its pid; without a pid it is being started. */
struct writers {
    _Atomic uint64_t words[WRITERS_MAX];
};

/* True: one more may be started now, as *ret_place, for which writers_started() is to be said. */
bool writers_allow(struct writers *writers, uint32_t *ret_place);

/* @pid 0: it could not be started. */
void writers_started(struct writers *writers, uint32_t place, pid_t pid);

#endif
