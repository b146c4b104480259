/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PYTHON_CALLING_H
#define PYTHON_CALLING_H

/* Calling: an encoded call on its way, with the interpreter's lock or without. */

#include "taking.h"

/* CLOCK_MONOTONIC at which @timeout (seconds, None: never, NULL: the cell's) is over. -1: raised. */
int deadline_of(PyObject *timeout, uint64_t *ret_deadline_ns);

/*
 * Make the call and wait for its end: what answers at once is waited for with the lock, all else without.
 * Returns an outcome or a negative errno, as cordon_call(); INT_MIN: raised (KeyboardInterrupt).
 */
int call_and_wait(struct function_object *function, const struct cordon_value *values, size_t count,
                  uint64_t deadline_ns, struct cordon_result *ret_result);

/* Wait for a call that was submitted in @session. Returns as call_and_wait(). */
int wait_for(struct cell_object *cell, struct cordon_session *session,
             struct cordon_pending *pending, struct cordon_result *ret_result);

#endif
