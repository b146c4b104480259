/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_LAUNCH_H
#define CELL_LAUNCH_H

/*
 * Launch: start a keeper so that this process has a pidfd of it and no child.
 *
 * Threads: any. Other threads go on meanwhile; this one waits for the keeper's exec.
 */

#include <stdbool.h>
#include <stdint.h>

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

#endif
