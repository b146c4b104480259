/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_CONTAINMENT_UNHARMED_H
#define TEST_CONTAINMENT_UNHARMED_H

/*
 * Unharmed: what a host looks at to see that nothing happened to it. Marks are set before the first cell is
 * opened and looked at when the last is closed: memory, descriptors, threads, signal actions, children, limits,
 * standard output and error, and things outside that an act would leave: files, connections.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

#include "harness/traces.h"

#define UNHARMED_BLOCKS 64

struct unharmed {
    struct traces traces;
    struct rlimit limits[RLIM_NLIMITS];
    long resident_pages;
    int listeners[3]; /* TCP, abstract, path */
    int number;       /* the TCP port: what acts are given */
    unsigned char *blocks[UNHARMED_BLOCKS];
};

/* Standard output and error become memory of this process; the marks are set. */
void unharmed_prepare(struct unharmed *marks);
/* After the warm-up: from here on nothing may be left. */
void unharmed_take(struct unharmed *marks);

/*
 * Look at everything and write what is wrong into @harm.
 * @abandoned  a library or a thread was, by a level that says so: threads and memory are not counted.
 */
void unharmed_compare(struct unharmed *marks, bool abandoned, char *harm, size_t size);

/* Remove the files that go by @number: also for a host that is no more. */
void unharmed_clear(int number);

#endif
