/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEMFD_H
#define BASE_MEMFD_H

/*
 * Sealed memfds: anonymous memory that can be handed to another process, with what nobody may do to it
 * any more. Size and seals are given before anyone else has the fd.
 */

#include <stdint.h>

/*
 * Make a memory of @bytes (sparse), close-on-exec, not executable where the kernel offers that, with
 * @seals (F_SEAL_*).
 *
 * Returns 0 and an fd that the caller owns, or a negative errno.
 */
int memfd_new(const char *name, uint64_t bytes, int seals, int *ret_fd);

/* Add seals. Returns 0, or -EPERM where F_SEAL_SEAL stands, -EBUSY while a mapping forbids it. */
int memfd_seal(int fd, int seals);

/*
 * Judge a memfd that another process sent: it must bear at least @seals, and be of ordinary pages.
 * Returns 0 and its size, or -EBADMSG.
 */
int memfd_judge(int fd, int seals, uint64_t *ret_bytes);

#endif
