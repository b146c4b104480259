/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_FAULT_OWNER_H
#define CELL_FAULT_OWNER_H

/*
 * Owners: who handled the fault signals before Cordon, and gets what is not the library's.
 *
 * SIGTRAP and SIGSYS are taken only where nobody handles them: who does is a debugger, or answers for
 * system calls that a filter of its own catches, and means the library's as well
 * (docs/decisions/0012-signals-with-a-handler-stay-their-owners.md).
 *
 * Threads: owners_take() once; owner_call() any. Signals: owner_call() is for handlers.
 */

#include <signal.h>
#include <stdbool.h>

/* Put @action in force for the fault signals, remembering whose they were. */
void owners_take(const struct sigaction *action);

/* True if @signal is a fault signal that was taken and is handled by @action's handler still. */
bool owners_hold(int signal, const struct sigaction *action);

/* Do what the kernel would have done without Cordon. */
void owner_call(int signal, siginfo_t *info, void *context);

#endif
