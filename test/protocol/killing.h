/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOL_KILLING_H
#define PROTOCOL_KILLING_H

/* Killing: end the worker of a session from outside, and never anybody else. */

#include <stdbool.h>

#include "cordon/session.h"

/*
 * Send SIGKILL to the worker that @session has now. Returns false if it has none, or changed it meanwhile.
 * @await  wait until the process is gone, up to five seconds.
 */
bool kill_worker(struct cordon_session *session, bool await);

/*
 * Send SIGKILL to any worker below process @ancestor, whatever it is doing: starting, executing, ending.
 * Takes no lock of the session. Returns false if there was none.
 */
bool kill_some_worker(int ancestor, unsigned *seed);

#endif
