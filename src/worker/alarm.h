/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_ALARM_H
#define WORKER_ALARM_H

/*
 * Alarm: a worker that crashes tells its keeper first, then dies of the same fault.
 *
 * The handler runs on a stack of its own with guards on both sides, makes the reserved system call
 * (START_ALARM_CALL), in which the kernel holds the thread until the keeper has looked, and lets the
 * signal do what it does without a handler. A library may put its own handlers in the place: then only
 * the exit status tells.
 *
 * Threads: call once, while there is one. Other threads use their own stacks.
 */

#include "base/message.h"
#include "lane/worker.h"

/* Returns 0, or a negative errno with the sentence. */
int alarm_install(struct message *why);

/* From now on this thread executes the calls of @end: of a crash inside of one its host is told as well. */
void alarm_serve(struct lane_end *end);

#endif
