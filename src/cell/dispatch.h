/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_DISPATCH_H
#define CELL_DISPATCH_H

/*
 * Dispatch: callbacks that came on threads of the library. To the lane each is a callback like any other,
 * from inside a request to the engine (ENGINE_DISPATCH) that waits for one.
 */

#include <stdint.h>

#include "base/message.h"
#include "cell/session.h"

/*
 * Wait until @until_ns for such a callback and run all that are there; @ret_count: how many, also on failure.
 * Returns 0, an outcome, or a negative errno. Threads: any; the session is held inside.
 */
int dispatch_callbacks(struct cordon_session *session, uint64_t until_ns, uint32_t *ret_count,
                       struct message *why);

#endif
