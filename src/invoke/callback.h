/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVOKE_CALLBACK_H
#define INVOKE_CALLBACK_H

/*
 * Callback: what happens when the library calls a trampoline: native arguments become a frame, the
 * transport carries it to the host's side, the answer becomes memory and a result.
 *
 * Where that cannot be done the declared failure value is returned, and engine->callback_status
 * says why when it was not the host's side that failed. Without a declared value, from `escape`,
 * from a trampoline whose life has ended and from a foreign thread there is nothing that could be
 * returned: the transport abandons the call.
 *
 * An `anythread` callback on a thread of the library waits in the engine's queue until the thread that
 * executes requests answers it by callback_dispatch(), or LIMIT_QUEUED_MS have passed.
 */

#include <ffi.h>
#include <stdbool.h>

struct engine;

/* One was queued in @engine: tell the host's side. */
void callback_came(void *engine);

/* Answer the oldest queued callback. False: there is none. */
bool callback_dispatch(struct engine *engine);

void callback_enter(ffi_cif *cif, void *ret_value, void **arguments, void *user);

#endif
