/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_PROCESS_H
#define KEEPER_PROCESS_H

/*
 * Process: what /proc tells of a worker, found by its pidfd, so that no stranger is ever meant: while
 * it is not reaped, its number is nobody else's.
 *
 * /proc may be of an outer PID namespace: a process has another number there than here.
 *
 * Threads: any.
 */

#include <stdint.h>

/* The folder of the process in /proc, as a descriptor (O_PATH), or a negative errno. */
int process_open(int pidfd);

/* Physical memory that it has now. 0, or a negative errno: /proc does not tell. */
int process_resident(int pidfd, uint64_t *ret_bytes);

#endif
