/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HTTP_ADDRESS_H
#define GATEWAY_HTTP_ADDRESS_H

/* Where HTTP is listened at, and under which names it is answered. */

#include <stdbool.h>
#include <sys/types.h>

#include "base/message.h"

struct http_address {
    char *path;   /* of a Unix socket; else NULL */
    dev_t device; /* what was bound there: only that is removed at the end */
    ino_t inode;
};

/*
 * Bind and listen. @text as http_start() takes it; a Unix socket has mode 0600 by creation, and takes the place of
 * one that nobody listens at.
 *
 * @ret_fd  the caller's to close. @ret_address: to be released.
 *
 * Returns 0, -EINVAL, -EADDRINUSE, ..., with a sentence.
 */
int http_address_listen(const char *text, int *ret_fd, struct http_address *ret_address,
                        struct message *why);

/* Remove the socket. All zero is fine. */
void http_address_release(struct http_address *address);

/*
 * Whether a Host header names this machine by a loopback address, or as localhost: a page of another site that had its
 * own name looked up as 127.0.0.1 must not read ours.
 */
bool http_address_is_ours(const char *host);

#endif
