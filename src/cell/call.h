/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_CALL_H
#define CELL_CALL_H

/*
 * Call: one call from its arguments to its outcome, as its session's holder drives it.
 *
 *   call_begin    encode, submit
 *   call_end      await (answering callbacks), decode, give everything back
 *
 * A pending call of a batch is the same thing with time in between.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cell/gate.h"
#include "cell/session.h"
#include "cell/station.h"
#include "cordon/function.h"
#include "frame/frame.h"

#define CALL_CALLBACKS_MAX 8u

struct call {
    struct cordon_session *session;
    const struct cordon_function *function;
    const struct cordon_value *args;
    size_t count;
    uint64_t deadline_ns;
    struct call *outer; /* the call from whose callback this one is made */
    bool has_room;
    bool may_resend; /* a worker that had not begun it may be replaced, and asked again */
    struct gate_pass pass;
    uint32_t callback_count;
    uint32_t callback_ids[CALL_CALLBACKS_MAX];
    const uint64_t *scope_before[CALL_CALLBACKS_MAX]; /* callback_table_enter() */
    struct station_room room;
    struct station_ticket ticket;
    struct frame_space space;
    struct frame_request request;
    struct engine_reply done; /* level inline */
};

/* Encode and submit. Returns 0, an outcome, or a negative errno; then the call is over. */
int call_begin(struct call *call, bool ring, struct message *why);

/*
 * Wait until @until_ns. Returns an outcome or a negative errno (the call is over, @ret_result written
 * by it), or -ETIME: not yet; -ERESTART, if it may be sent again and was not begun: call_resend().
 */
int call_end(struct call *call, uint64_t until_ns, struct cordon_result *ret_result);

/* A call that ended as -ERESTART, sent once more and awaited as by call_end(). By the session's holder. */
int call_resend(struct call *call, uint64_t until_ns, struct cordon_result *ret_result);

/* ---- What call.c is made of -------------------------------------------------------------------- */

/* Arguments to a request, with the room that it takes. Returns 0, CORDON_STALE, or as frame_encode(). */
int call_encode(struct call *call, struct message *why);
/* Results from a reply that is no refusal. Returns CORDON_DONE, CORDON_CRASHED: it lied; or a negative errno. */
int call_decode(struct call *call, const struct station_reply *reply,
                struct cordon_result *ret_result);
/* The outcome of a call whose worker ended, with its report. */
int call_ended(struct call *call, const struct station_end *end, struct cordon_result *ret_result);
/* The result's sentence; NULL for none. */
struct message *call_error(struct cordon_result *result);

/* Which arguments are handles: " (argument 4 'stream')", added to a sentence about a stale one. */
void call_name_handles(const struct cordon_function *function, const struct cordon_value *args,
                       size_t count, struct message *why);

/* Host's side of callbacks: station_options.answer, context is the session. */
int call_answer(void *context, struct station_callback *callback);

/* The hooks of a session's frames. */
void call_hooks(struct cordon_session *session, struct frame_hooks *ret_hooks);

/* The whole of cordon_session_call(). */
int call_perform(struct cordon_session *session, const struct cordon_function *function,
                 const struct cordon_value *args, size_t count, uint64_t deadline_ns,
                 struct cordon_result *ret_result);

#endif
