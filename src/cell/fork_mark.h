/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_FORK_MARK_H
#define CELL_FORK_MARK_H

/*
 * Fork mark: a page that the kernel wipes in a forked child. Objects of this library do not survive
 * fork(); every entry looks at the mark first.
 */

#include <stdbool.h>

/* Make the page, once per process. Returns 0 or a negative errno. */
int fork_mark_make(void);

extern volatile const unsigned *fork_mark_page;

/* False in a child of the process that made the mark. */
static inline bool fork_mark_intact(void)
{
    return fork_mark_page && *fork_mark_page != 0;
}

#endif
