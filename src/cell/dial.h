/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_DIAL_H
#define CELL_DIAL_H

/*
 * Dial: ask a daemon on its socket for a seat at one of its cells (docs/protocol/gateway.md, attach.md).
 *
 * Threads: any. Waits until @until_ns at most.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"

/* Letters, digits, '_', '-', '.': what needs no quoting in JSON. */
bool dial_name_fits(const char *cell);

/*
 * Returns 0 and the client's end of a seat, which the caller owns; an outcome or a negative errno that the
 * daemon's answer means (its sentence in @why); what connect() met; -ETIMEDOUT; -EPROTO.
 */
int dial(const char *gateway, const char *cell, uint64_t until_ns, int *ret_socket,
         struct message *why);

#endif
