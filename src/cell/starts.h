/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_STARTS_H
#define CELL_STARTS_H

/*
 * Starts: whether a cell may start a worker now. After a start that failed it may not for a while, and
 * longer with each further one: calls are refused meanwhile, and told why and for how long.
 *
 * The first failure is told by the call that met it, as it was.
 *
 * Threads: any; the cell's lock guards it.
 */

#include <stdint.h>

#include "base/backoff.h"
#include "base/message.h"

struct cordon_cell;

struct starts {
    struct backoff backoff;
    struct message reason; /* of the last failure */
};

/* Returns 0; CORDON_OPEN with @why and @ret_retry_ms. */
int starts_ask(struct cordon_cell *cell, uint32_t *ret_retry_ms, struct message *why);

void starts_succeeded(struct cordon_cell *cell);
void starts_failed(struct cordon_cell *cell, const struct message *reason);

#endif
