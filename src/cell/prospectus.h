/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_PROSPECTUS_H
#define CELL_PROSPECTUS_H

/*
 * Prospectus: what a cell lends, as a sealed memory of records (lane/provision.h): for clients its functions and
 * types; for a worker on a client's lane also the on_start calls and the seal.
 *
 * Threads: any.
 */

#include <stdbool.h>

#include "base/message.h"

struct cordon_cell;

/* @whole: for a worker. Returns 0 and an fd that the caller owns, -E2BIG, -ENOMEM, or another negative errno. */
int prospectus_make(struct cordon_cell *cell, bool whole, int *ret_fd, struct message *why);

#endif
