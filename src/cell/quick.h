/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_QUICK_H
#define CELL_QUICK_H

/*
 * Quick calls: functions of plain scalars and constant arrays, on a session that is ready for them,
 * without the general call's hooks and walks through the plan. Whatever is not plain - another thread in
 * the session, a worker to start, a value that does not fit, a callback, a verdict - goes the general
 * way.
 *
 * Bought: the host's side of a scalar call took 1,070 instructions, and about 620 when this was made (callgrind at level
 * thread).
 */

#include <stdbool.h>
#include <stdint.h>

#include "cordon/function.h"
#include "lane/host.h"
#include "prototype/plan.h"

struct call;
struct cordon_pending;
struct cordon_session;

/* A parameter, or the result, as a quick call wants it. */
enum quick_kind {
    QUICK_NOTHING = 0,
    QUICK_INT,
    QUICK_UINT,
    QUICK_F32,
    QUICK_F64,
    QUICK_BYTES, /* a constant array of plain elements; its length is another word, filled in */
};

struct quick_value {
    enum quick_kind kind;
    uint8_t word;       /* where it travels */
    uint8_t count_word; /* BYTES: where its number of elements does */
    uint8_t shift;      /* BYTES: an element has 1 << shift bytes */
    int64_t least;
    uint64_t most; /* BYTES: of its elements, as its length's type has it */
};

#define QUICK_PARAMS_MAX CORDON_PLAN_MAILBOX_WORDS

/* What is known of a function at its binding. */
struct quick {
    bool able;
    bool is_short;        /* without a frame: LANE_CALL_SHORT */
    uint8_t array_count;  /* memory travels */
    uint8_t filled_count; /* lengths that callers do not pass */
    uint8_t param_count;
    uint8_t passed_count;
    struct quick_value args[QUICK_PARAMS_MAX]; /* as callers pass them */
    struct quick_value result;
};

void quick_prepare(struct quick *quick, const struct plan *plan,
                   const struct cordon_plan_function *record);

/* The session has a worker behind a lane that knows the function. */
bool quick_is_ready(const struct cordon_session *session, const struct cordon_function *function);

/* The message of a call of only words. False: not of this kind, or a value that does not simply fit. */
bool quick_encode(const struct cordon_function *function, const struct cordon_value *args,
                  size_t count, struct lane_message *ret_message);

/* A plain answer's result. False: another event, or a lie. */
bool quick_decode(const struct cordon_function *function, const struct lane_event *event,
                  struct cordon_result *ret_result);

/* Make @call what the general way can end: sent as @seq, words only. */
void quick_call_init(struct call *call, struct cordon_session *session,
                     const struct cordon_function *function, uint64_t deadline_ns, uint32_t seq);

#define QUICK_NOT INT32_MIN /* nothing has happened: take the general way */

/* As call_perform(), or QUICK_NOT. @deadline_ns may be CORDON_DEFAULT. */
int quick_perform(struct cordon_session *session, const struct cordon_function *function,
                  const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                  struct cordon_result *ret_result);

/* As cordon_call_soon(), or QUICK_NOT: also while answers ring, which the general way ends. */
int quick_perform_soon(struct cordon_session *session, const struct cordon_function *function,
                       const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                       struct cordon_pending **ret_pending, struct cordon_result *ret_result);

#endif
