/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_FORK_MARK_H
#define CELL_FORK_MARK_H

/*
 * Fork mark: a page that the kernel wipes in a forked child. It holds the process's generation; objects
 * remember theirs, and are strangers in a child: its page is empty, or says another one from the first
 * cell on that the child itself opens.
 */

#include <stdbool.h>

/*
 * Make the page, or mark it anew in a child. Returns this process's generation, or a negative errno.
 * Threads: any.
 */
int fork_mark_make(void);

extern volatile int *fork_mark_page;

/* False in a child of the process that got @generation. */
static inline bool fork_mark_intact(int generation)
{
    return fork_mark_page && *fork_mark_page == generation;
}

#endif
