/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_FAULT_LOOK_H
#define CELL_FAULT_LOOK_H

/*
 * Look: where another thread of this process stands, without ending it. It is sent one of the fault
 * signals with a mark that only this file makes; its handler, on the thread's alternate stack, takes the
 * scene and lets the thread go on. A system call that it sleeps in may end with EINTR by it.
 *
 * Threads: any; one look at a time in a process.
 */

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/message.h"
#include "cell/fault_scene.h"

/*
 * @thread, @serial  by fault_self(). @action: Cordon's own handler's.
 * @scene            not taken yet; after -EINPROGRESS it must never be freed or used again.
 *
 * Returns 0 with the scene taken, or a negative errno with the reason for people in @why.
 */
int look_at(pid_t thread, uint64_t serial, const struct sigaction *action,
            struct fault_scene *scene, uint64_t until_ns, struct message *why);

/* Of the handler: true if @info is such a mark; the scene is taken if it is meant for thread @serial. */
bool look_answer(const siginfo_t *info, const void *context, uint64_t serial, uintptr_t stack_end);

#endif
