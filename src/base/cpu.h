/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CPU_H
#define BASE_CPU_H

/* What C has no words for, or only words that a sanitizer does not understand. */

#include <stdatomic.h>

/* Before a loop of so few rounds that the loop itself would be most of it: straight code instead. */
#if defined(__clang__)
#define CPU_UNROLL _Pragma("unroll")
#else
#define CPU_UNROLL _Pragma("GCC unroll 8")
#endif

/* Tell the CPU that this is a loop which waits for another one. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* Ask for the line at @memory: to read it soon, or to write it, which takes it from who has read it. */
static inline void cpu_fetch(const void *memory)
{
    __builtin_prefetch(memory, 0, 3);
}

static inline void cpu_claim(const void *memory)
{
#if defined(__x86_64__)
    /* The compiler has a weaker one for the oldest CPUs, for which this one is no operation. */
    __asm__ volatile("prefetchw (%0)" ::"r"(memory));
#else
    __builtin_prefetch(memory, 1, 3);
#endif
}

/*
 * Full barrier: stores before it are seen by others before loads after it are made. As
 * atomic_thread_fence(memory_order_seq_cst), which gcc refuses under -fsanitize=thread; what is handed
 * over must be so by release and acquire, a fence alone is not seen by that tool.
 */
static inline void cpu_fence(void)
{
#if defined(__x86_64__)
    __asm__ volatile("lock; orl $0, (%%rsp)" ::: "memory", "cc");
#elif defined(__aarch64__)
    __asm__ volatile("dmb ish" ::: "memory");
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

#endif
