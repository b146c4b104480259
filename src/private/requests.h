/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVATE_REQUESTS_H
#define PRIVATE_REQUESTS_H

/*
 * Requests: what the program asks over the control socket (docs/protocol/private.md), and the answers.
 *
 * Threads: one.
 */

#include "private/control.h"
#include "private/jobs.h"
#include "private/shelf.h"

struct server {
    struct control control;
    struct jobs jobs;
    struct shelf shelf;
    int client_pidfd; /* of the program; -1: not known */
};

/* Take one frame; it is answered now or, if it has to wait for something, later. Returns 0, -ENOMEM, -ENOBUFS. */
int requests_take(struct server *server, const char *text, size_t length);

#endif
