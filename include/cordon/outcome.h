/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_OUTCOME_H
#define CORDON_OUTCOME_H

/*
 * Outcome: how a call ended. A crash is an answer, not an error of Cordon's: functions that call
 * return an outcome (0 or positive), or a negative errno when Cordon itself could not do its work.
 */

#include "cordon/export.h"

#ifdef __cplusplus
extern "C" {
#endif

enum cordon_outcome {
    CORDON_DONE = 0,    /* the function returned; result and outputs are written */
    CORDON_CRASHED = 1, /* its worker died: a signal, or exit() from inside the library */
    CORDON_TIMEOUT = 2, /* the deadline passed first; the worker has been ended */
    CORDON_ABORTED =
        3,             /* ended with its worker by something else: another call of the same batch, a
                           callback that failed without a declared failure value, a close, a lost keeper */
    CORDON_DENIED = 4, /* a forbidden act, where the policy says that such an act ends the call */
    CORDON_BUSY = 5,   /* refused: no worker became free in time, or the queue is full */
    CORDON_STALE = 6,  /* refused: a handle whose worker, or whose object, is gone */
    CORDON_OPEN = 7,   /* refused: the breaker is open, or the cell is poisoned (thread, inline) */
};

/* The outcome's name in lower case ("done", "crashed", ...); "unknown" for any other number. */
CORDON_API const char *cordon_outcome_name(int outcome);

#ifdef __cplusplus
}
#endif

#endif
