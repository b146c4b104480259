/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PYTHON_CALLING_H
#define PYTHON_CALLING_H

/*
 * Calling: an encoded call on its way, with the interpreter's lock or without.
 *
 * Who has the lock never waits for another thread: that one may be about to run a callback, which needs the lock.
 */

#include "taking.h"

/* CLOCK_MONOTONIC at which @timeout (seconds, None: never, NULL: the cell's) is over. -1: raised. */
int deadline_of(PyObject *timeout, uint64_t *ret_deadline_ns);

/* `timeout=` is the call's, unless the function has a parameter of that name: @ret_at is -1 then. Borrowed. */
PyObject *find_timeout(const struct function_object *self, PyObject *const *args, size_t positional,
                       PyObject *names, Py_ssize_t *ret_at);

/* What any call came to, as an object; the result is released. NULL: raised. */
PyObject *finish_call(struct taking *taking, int r, struct cordon_result *result);

/*
 * Make the call and wait for its end: what answers at once is waited for with the lock, all else without.
 * Returns an outcome or a negative errno, as cordon_call(); INT_MIN: raised (KeyboardInterrupt, closed).
 */
int call_and_wait(struct function_object *function, const struct cordon_value *values, size_t count,
                  uint64_t deadline_ns, struct cordon_result *ret_result);

/*
 * Whether this thread is told of Ctrl-C: the main one alone; after a fork the one that forked. What waits in libcordon
 * without the lock is interrupted from then on: -EINTR, with an exception set.
 */
bool sees_signals(void);

/* Wait for a call that was submitted in a session of @function's cell. Returns as call_and_wait(). */
int wait_for(struct cordon_pending *pending, struct cordon_result *ret_result);

#endif
