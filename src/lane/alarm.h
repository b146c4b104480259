/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_ALARM_H
#define LANE_ALARM_H

/*
 * Alarm: how a crashed thread of a worker tells the keeper, from inside its handler. What a person reads first
 * travels in registers, so that the keeper need not look into the worker before it gives the verdict.
 */

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "lane/start.h"

struct lane_death;

/*
 * How a worker died, from what its handler said of it: @signal and @flags (enum start_alarm) may be lies, a person
 * reads them. Whole, text included.
 */
void alarm_describe(uint64_t signal, uint64_t flags, uint64_t address,
                    struct lane_death *ret_death);

static inline uint32_t alarm_flags(int signal, const siginfo_t *info, const ucontext_t *context)
{
    if ((signal != SIGSEGV && signal != SIGBUS) || info->si_code <= 0 ||
        info->si_code == SI_KERNEL) {
        return 0;
    }
    uint32_t flags = START_ALARM_ADDRESS;
#if defined(__x86_64__)
    if (context->uc_mcontext.gregs[REG_TRAPNO] == 14) { /* a page fault: its error code */
        uint64_t error = (uint64_t)context->uc_mcontext.gregs[REG_ERR];
        flags |= error & 2 ? (uint32_t)START_ALARM_WRITING : 0u;
        flags |= error & 16 ? (uint32_t)START_ALARM_EXECUTING : 0u;
    }
#elif defined(__aarch64__)
    flags |=
        context->uc_mcontext.pc == (uintptr_t)info->si_addr ? (uint32_t)START_ALARM_EXECUTING : 0u;
#endif
    return flags;
}

/* Stands in the kernel until the worker is ended. Returns where nobody listens. */
static inline void alarm_tell(int signal, const siginfo_t *info, const void *context)
{
    (void)syscall(START_ALARM_CALL, signal, info, context, alarm_flags(signal, info, context),
                  info->si_addr);
}

#endif
