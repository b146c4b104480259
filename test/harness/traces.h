/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_TRACES_H
#define HARNESS_TRACES_H

/* Traces: what a process holds that a case must not leave behind. */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define TRACES_FDS 1024

struct traces {
    unsigned char open_fds[TRACES_FDS];
    size_t threads;
    size_t mappings; /* of shared memory made by Cordon */
    struct sigaction actions[_NSIG];
    sigset_t blocked;
};

void traces_take(struct traces *ret_traces);

/* What to overlook. */
enum traces_flags {
    TRACES_MEMORY = 1u << 0,
    TRACES_THREADS = 1u << 1,
    TRACES_ACTIONS = 1u << 2,
    TRACES_DESCRIPTORS = 1u << 3,
};

/*
 * Compare this process with @before and print each difference. Things that take a moment to go are
 * waited for, up to two seconds. Returns true if nothing stayed.
 */
bool traces_compare(const struct traces *before, unsigned overlook);

#endif
