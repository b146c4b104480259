/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_FAULT_H
#define CELL_FAULT_H

/*
 * Fault guard: run native code in this process so that a fault in it comes back as a value (levels
 * thread and inline). A fault outside a guarded run, or outside the guarded library's reach, goes to
 * whoever owned the signal before.
 *
 * The signals are SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, and, where nobody handled them before,
 * SIGTRAP and SIGSYS (cell/fault_owner.h).
 *
 * Guarded is one thread for the time of one run: runs nest, and the host's own functions that native
 * code calls back run suspended. Not guarded: threads and processes that a library starts; signals sent by
 * kill() or from another process; a thread that keeps the signal blocked (the kernel then ends the process).
 *
 * Threads: any. The handlers are process-wide from fault_install() on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/message.h"
#include "cell/fault_scene.h"

struct fault {
    int signal;
    uintptr_t address;
    bool stack_overflow;
    const char
        *exited; /* "exit": the run called it, with `status`, and there was no signal; else NULL */
    int status;
};

/* "Segmentation fault (stack overflow) at address 0x10"; only some signals have an address. */
void fault_describe(const struct fault *fault, char *text, size_t bytes);

/* Take the signals, remembering their owners. Idempotent. */
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

/* The same; of a fault the scene is taken. @scene: may be NULL: of no interest. */
int fault_guard_seen(void (*run)(void *context), void *context, struct fault_scene *scene,
                     struct fault *ret_fault);

/* Who this thread is to fault_look(): it must run guarded, or have done so. */
void fault_self(pid_t *ret_thread, uint64_t *ret_serial);

/*
 * Where another thread stands, that runs guarded, for people (cell/fault_look.h). Returns 0 with @scene
 * taken, or a negative errno with the reason; -EINPROGRESS: the scene must never be freed.
 */
int fault_look(pid_t thread, uint64_t serial, struct fault_scene *scene, uint64_t until_ns,
               struct message *why);

/* True while this thread is inside a guarded run, and it is not suspended. */
bool fault_is_guarded(void);

/*
 * End the innermost guarded run of this thread, which must be guarded, as FAULT_HIT: it has called @name.
 * @context: a ucontext_t, for the scene.
 */
void fault_exit(const char *name, int status, const void *context) __attribute__((noreturn));

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
