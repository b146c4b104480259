/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_THREAD_H
#define CELL_THREAD_H

/*
 * What the host's side keeps of each thread that calls: one word, which each call reads.
 *
 * initial-exec: its place is known when libcordon is loaded; else each look at it is a call of the loader's (10 of 290 ns
 * a call). A library that is loaded late gets it from what the loader keeps for such (glibc: 1,664 bytes for all).
 */

#include <stdint.h>

struct cell_thread {
    uint32_t number; /* given at its first call; 0: none yet */
};

extern _Thread_local struct cell_thread cell_thread_self __attribute__((tls_model("initial-exec")));

/* Names the thread, as long as it lives. */
static inline uintptr_t cell_thread_mark(void)
{
    return (uintptr_t)&cell_thread_self;
}

uint32_t cell_thread_count(void);

/* This thread's number; never 0. */
static inline uint32_t cell_thread_number(void)
{
    return cell_thread_self.number != 0 ? cell_thread_self.number : cell_thread_count();
}

#endif
