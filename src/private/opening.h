/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVATE_OPENING_H
#define PRIVATE_OPENING_H

/*
 * Opening: `cordon.open`. The library is loaded by a first worker, on a thread of its own; then the cell is lent, and
 * its worker rests: the program has workers of its own.
 */

#include <jansson.h>

struct server;

/* Answered when it is open, or cannot be. Returns 0, -ENOMEM, -ENOBUFS. */
int opening_take(struct server *server, json_t *id, json_t *params);

#endif
