/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_STRAYS_H
#define KEEPER_STRAYS_H

/*
 * Strays: children of the keeper that are no workers. Where a policy lets a worker make processes,
 * what it leaves behind comes to the keeper, which adopts orphans (subreaper, or init of a namespace).
 * A stray may still write a dead worker's lane, so none is spared.
 *
 * Threads: the keeper's only one.
 */

#include <stdbool.h>

/*
 * Kill every stray. @is_worker is asked by process id, as this process sees ids.
 * Returns how many are still there; they are to be reaped when SIGCHLD comes. A negative errno when
 * /proc cannot tell.
 */
int strays_kill(bool (*is_worker)(void *context, int pid), void *context);

#endif
