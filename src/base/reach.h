/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REACH_H
#define BASE_REACH_H

/*
 * Reach: bytes of a process's memory, another's or one's own, wherever an address may lead. A worker's are
 * its word, and may change while they are read: each is read once. What cannot be read (another user's
 * process, an address where nothing is) is missing, never an error of the reader.
 *
 * Threads: any. Signals: fit for handlers.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Copy up to @bytes from @address of the process with thread @thread. Stops where nothing is mapped.
 * Returns how many bytes came; 0: none.
 */
size_t reach_bytes(pid_t thread, uint64_t address, void *copy, size_t bytes);

/*
 * Where memory begins again above @address, whose page cannot be read: a stack that has overflowed, above its guard
 * and the frame that did not fit. Looks at 1,088 KiB, a frame of 1 MiB and a guard. Returns a page's address; 0: none.
 */
uint64_t reach_above(pid_t thread, uint64_t address);

/*
 * Copy a string of at most @bytes with its NUL. Returns its length; -EFAULT: nothing is there;
 * -ENAMETOOLONG: it has no end, @text holds what there is.
 */
ssize_t reach_text(pid_t thread, uint64_t address, char *text, size_t bytes);

#endif
