/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_CALLBACK_H
#define CORDON_CALLBACK_H

/*
 * Callback: a function of the host that native code may call. It runs on the thread that waits for the
 * outer call, or, if it comes on a thread of the library (`anythread`), on the one in cordon_session_dispatch(); it may call further functions in the same session (up to 16 deep). For libraries that keep
 * it, it must live until they let go of it, or until the session ends.
 */

#include "cordon/session.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cordon_callback;

/*
 * The host's side of a callback.
 *
 * @session  where the outer call runs: for calls from inside.
 * @args     one value for each parameter that is passed; memory is borrowed until the return, and
 *           writable for out and inout parameters.
 * @ret_value  what it returns; kind NULL before; left alone for void.
 *
 * Returns 0, or a negative errno when it failed: then the prototype's `fails(...)` value is returned
 * to the library, and the outer call, once it ends, returns that negative errno; without a declared
 * value the worker is ended and the outcome is CORDON_ABORTED.
 */
typedef int cordon_callback_function(void *context, struct cordon_session *session,
                                     const struct cordon_value *args, size_t count,
                                     struct cordon_value *ret_value);

CORDON_API CORDON_MUST_USE int cordon_callback_new(cordon_callback_function *function,
                                                   void *context,
                                                   struct cordon_callback **ret_callback);

/* NULL is fine. The library may still hold it: a later use is answered by the failure value. */
CORDON_API void cordon_callback_free(struct cordon_callback *callback);

#ifdef __cplusplus
}
#endif

#endif
