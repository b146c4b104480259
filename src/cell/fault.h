/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_FAULT_H
#define CELL_FAULT_H

/*
 * Fault guard: run native code in this process so that a fault in it comes back as a value (levels
 * thread and inline). A fault outside a guarded run, or outside the guarded library's reach, goes to
 * whoever owned the signal before.
 *
 * Guarded is one thread for the time of one run: runs nest, and the host's own functions that native
 * code calls back run suspended. Not guarded: threads that a library starts; signals sent by kill() or
 * from another process; a thread that keeps the signal blocked (the kernel then ends the process).
 *
 * Threads: any. The handlers are process-wide from fault_install() on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault {
    int signal; /* SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT */
    uintptr_t address;
    bool stack_overflow;
};

/* "Segmentation fault (stack overflow) at address 0x10"; an abort has no address. */
void fault_describe(const struct fault *fault, char *text, size_t bytes);

/* Take SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, remembering their owners. Idempotent. */
int fault_install(void);

/* How a guarded run ended. */
enum fault_end {
    FAULT_NONE = 0, /* it came back */
    FAULT_HIT = 1,  /* it faulted: then whatever @run held is lost (locks, memory) */
    FAULT_LEFT = 2, /* it called fault_leave(): likewise */
};

/*
 * Run @run(@context). The calling thread gets a guarded alternate stack if it has none.
 *
 * @ret_fault  Written on FAULT_HIT only; may be NULL.
 *
 * Returns an enum fault_end, or a negative errno when the alternate stack could not be made: then
 * nothing has run. After FAULT_HIT the thread's signal mask is the one of the faulting instruction.
 */
int fault_guard(void (*run)(void *context), void *context, struct fault *ret_fault);

/* End the innermost guarded run of this thread as FAULT_LEFT. One must be in progress, not suspended. */
void fault_leave(void) __attribute__((noreturn));

/* The same for a thread that the library started, which has no run to end: it stops here for ever. */
void fault_strand(void) __attribute__((noreturn));

/*
 * Around a host function that native code calls: faults in it are the host's, and go to the previous
 * owner. fault_guard() works in between, and nests as it should. fault_resume() takes what the matching
 * fault_suspend() returned. Cheap: no system call.
 */
struct fault_frame;
struct fault_frame *fault_suspend(void);
void fault_resume(struct fault_frame *suspended);

#endif
