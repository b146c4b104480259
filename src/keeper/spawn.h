/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_SPAWN_H
#define KEEPER_SPAWN_H

/*
 * Spawn: make a process out of a program: a worker, or what writes reports.
 *
 * Threads: the keeper's only one; not reentrant (the child runs on one static stack while the keeper
 * waits for its exec).
 */

#include <sys/types.h>

#include "lane/start.h"

struct spawn_fds {
    int program; /* to be executed */
    int h;
    int w;
    int event;     /* -1: none */
    int arena;     /* -1: none */
    int provision; /* -1: none */
};

struct spawn_child {
    pid_t pid;
    int pidfd;
    int start_socket; /* non-blocking; one answer comes, or its end */
};

/*
 * Start a worker with @order as its orders. @fds are borrowed.
 * Returns 0 with what the caller now owns in @ret_child (the process is to be reaped, the fds to be
 * closed), or a negative errno: nothing is left of it.
 */
int spawn_worker(const struct start_order *order, const struct spawn_fds *fds,
                 struct spawn_child *ret_child);

#define SPAWN_FDS ((int)START_FD_END)

/*
 * Start another program, with @fds[n] as descriptor n from 3 on, -1: closed there. All are borrowed.
 * As above, without a start socket.
 */
int spawn_program(int program, const char *name, const int fds[SPAWN_FDS],
                  struct spawn_child *ret_child);

#endif
