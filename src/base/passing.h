/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PASSING_H
#define BASE_PASSING_H

/*
 * Passing: messages on a Unix socket that descriptors come along with. Those that come are the receiver's to close;
 * more of them than were wanted are closed here, and the message is refused.
 *
 * Without waiting, without SIGPIPE, and closed on exec. Threads: any. Nothing is allocated.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PASSING_FDS_MAX 16u

/*
 * Send @length bytes, and @count descriptors with them, at most PASSING_FDS_MAX.
 * Returns 0 or a negative errno: -EAGAIN: there is no room, nothing was sent; -EMSGSIZE: a stream took a part.
 */
int passing_send(int socket, const void *bytes, size_t length, const int *fds, uint32_t count);

/*
 * Receive up to @room bytes and up to @most descriptors: -1 in @ret_fds where none came.
 * Returns how many bytes came, 0: the other side has closed, or sent a
 * message without any, whose descriptors are closed; or a negative errno: -EAGAIN: nothing is there, or a
 * signal came; -EMSGSIZE: a message was longer, or had more descriptors; all are closed.
 */
ssize_t passing_receive(int socket, void *bytes, size_t room, int *ret_fds, uint32_t most,
                        uint32_t *ret_count);

#endif
