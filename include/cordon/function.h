/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_FUNCTION_H
#define CORDON_FUNCTION_H

/*
 * Function: a prototype bound to a cell. Binding compiles it and checks that the library has the
 * symbol; from then on calls cost no parsing. Functions live as long as their cell.
 */

#include "cordon/cell.h"
#include "cordon/value.h"
#include "cordon/outcome.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cordon_function;

#define CORDON_NEVER   UINT64_MAX /* a deadline that never passes */
#define CORDON_DEFAULT 0u         /* the cell's deadline_ms from now */

/*
 * Bind a function.
 *
 * @prototype  a declaration, or the name of one in the cell's interface.
 * @require    enum cordon_isolation bits that the calls need; refused where the cell cannot promise
 *             them, unless CORDON_BEST_EFFORT is among them.
 *
 * Returns 0; -EINVAL, -ENOTSUP (the declaration, or @require), -ENOENT (no such symbol: near names are
 * given), -E2BIG.
 * Threads: any.
 */
CORDON_API CORDON_MUST_USE int cordon_bind(struct cordon_cell *cell, const char *prototype,
                                           uint32_t require, struct cordon_function **ret_function,
                                           struct cordon_error *ret_error);

/*
 * Bind what a plan describes (plan.h): one that cordon_function_plan() gave, here or elsewhere, or that
 * a report holds. @plan is aligned to 8, and copied.
 *
 * Returns as cordon_bind(), or -EBADMSG: it is no sound plan.
 */
CORDON_API CORDON_MUST_USE int cordon_bind_plan(struct cordon_cell *cell, const void *plan,
                                                size_t plan_bytes, uint32_t require,
                                                struct cordon_function **ret_function,
                                                struct cordon_error *ret_error);

/* The plan that calls of @function follow: borrowed, aligned to 8. */
CORDON_API const void *cordon_function_plan(const struct cordon_function *function,
                                            size_t *ret_bytes);

/* What a call came to. Needs no initialisation. */
struct cordon_result {
    struct cordon_value value; /* what the function returned; MEMORY lives in `small` or `owned` */
    int error_number;          /* errno after the call; 0: none */
    int signal;                /* CRASHED: the signal, or 0 */
    int exit_status;           /* CRASHED without a signal: exit status */
    uint32_t violations;       /* forbidden acts during the call, listed (violation.h) */
    bool unbegun; /* anything but CORDON_DONE: the function was not begun, calling again is
                                safe. Outcomes alone: errors of ours say it by themselves */
    uint32_t retry_after_ms; /* OPEN, BUSY: when calling again may help; 0: not known */
    uint64_t report; /* anything but CORDON_DONE: id of the report of this end (report.h), or 0 */
    void *owned;     /* freed by cordon_result_release() */
    uint64_t small[8];
    struct cordon_error error; /* anything but CORDON_DONE: a sentence */
};

/* Free what a result owns. Needed after results that are memory; harmless after all others. */
CORDON_API void cordon_result_release(struct cordon_result *result);

/*
 * Call a function and wait for its answer.
 *
 * Arguments are copied before the wait begins. Outputs - arguments' memory and @ret_result - are
 * written on CORDON_DONE only. Memory that outputs go to stays where it is until then: callbacks may change
 * what lies in it, but not free it. If a pointer in it, or @args, is another when the call ends, or a length beside a
 * pointer is less, nothing is written, and -EFAULT says so.
 *
 * @args   one value for each parameter that is passed: without those that only give input lengths.
 * @count  how many; more than the prototype has only for `...`.
 * @deadline_ns  CLOCK_MONOTONIC, in nanoseconds; CORDON_NEVER, CORDON_DEFAULT.
 *
 * Returns an enum cordon_outcome; -EINVAL (arguments do not fit), -EFAULT (their memory changed during the call),
 * -E2BIG (a limit), -ENOENT, -ECHILD (after fork), -ESHUTDOWN (the cell is closed), with a sentence in @ret_result->error.
 * Threads: any; a thread's calls stay with one worker. Signals: not for use in a handler.
 */
CORDON_API CORDON_MUST_USE int cordon_call(struct cordon_function *function,
                                           const struct cordon_value *args, size_t count,
                                           uint64_t deadline_ns, struct cordon_result *ret_result);

/*
 * Have every worker of the cell begin with this call, before anything else: for what a library has to be
 * told once (a directory, a level of detail). It is executed now, by the worker of this thread's calls, and
 * by each other one before its next call; then kept, arguments copied, and repeated in each fresh worker.
 * What it returns there is not looked at; a worker in which it does not end as CORDON_DONE has failed to
 * start. At most 16 of them (LIMIT_ON_START).
 *
 * @args  as in cordon_call(), but no handles and no callbacks: they belong to one worker.
 *
 * Returns 0, and only then it is kept; -EINVAL, -ENOTSUP, -E2BIG; or the outcome of the first execution.
 * Threads: any; not from inside a callback.
 */
CORDON_API CORDON_MUST_USE int cordon_cell_on_start(struct cordon_cell *cell,
                                                    struct cordon_function *function,
                                                    const struct cordon_value *args, size_t count,
                                                    struct cordon_error *ret_error);

/* CLOCK_MONOTONIC now + @timeout_ms, as a deadline. */
CORDON_API uint64_t cordon_after_ms(uint64_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
