/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_REFUSAL_H
#define CELL_REFUSAL_H

/*
 * Refusal: a worker's reply that says it could not, instead of a result.
 */

#include "base/message.h"
#include "cell/station.h"

/*
 * What the refusal means: CORDON_STALE, or a negative errno (-EBADMSG where the worker's status is
 * none). @why gets the worker's sentence, cleaned, or one made here: calls of only words have no room
 * for one.
 * @what  of whom it is said: a function's name.
 */
int refusal(const struct station_reply *reply, const char *what, struct message *why);

#endif
