/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_LAUNCH_H
#define CELL_LAUNCH_H

/*
 * Launch: start a keeper so that this process has a pidfd of it and no child; or another program.
 *
 * Threads: any. Other threads go on meanwhile; this one waits for the keeper's exec.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct launch {
    int keeper_program; /* for execveat */
    int worker_program;
    int socket;             /* the keeper's end */
    int host_pidfd;         /* -1: none */
    int symbolizer_program; /* -1: none; nobody writes reports then */
    uint32_t without;       /* enum errand_mechanism */
    bool examine;           /* a keeper that examines the platform and ends: KEEPER_EXAMINES */
};

/*
 * Returns 0 and a pidfd, or a negative errno: nothing was started. All fds of @launch are borrowed and
 * above 2.
 */
int launch_keeper(const struct launch *launch, int *ret_pidfd);

#define LAUNCH_FDS 8

/* Another program, which goes on by itself: nobody's child here, nobody waits for it. */
struct launch_program {
    int program;
    const char *name;
    int fds[LAUNCH_FDS]; /* [n] is descriptor n there, from 3 on; -1: closed */
};

/*
 * Start it with an empty environment, /dev/null for its standard streams. All fds are borrowed and above
 * 2. Nothing of the heap is used, which may be damaged.
 * Returns 0 and its pid, or a negative errno.
 */
int launch_program(const struct launch_program *launch, pid_t *ret_pid);

#endif
