/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_WORKER_PID_H
#define CELL_WORKER_PID_H

/*
 * A worker's process id as this process sees it, for people and tests. Nothing in Cordon acts on it:
 * processes are named by pidfd, by their keeper.
 */

#include "cell/station.h"

/* 0: not known (levels thread and inline; a worker that is gone). */
int worker_pid(struct station *station);

#endif
