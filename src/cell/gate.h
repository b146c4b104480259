/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_GATE_H
#define CELL_GATE_H

/*
 * Gate: whether a call may reach a worker, by the breakers of its cell and its function.
 *
 * As long as nothing fails nobody counts: calls compare one number with the one that their session saw
 * last. A crash or a passed deadline changes the number; from then on, until a whole window has passed
 * without another, every call of the cell takes the general way and is counted. The window therefore
 * begins with its first failure.
 *
 * Threads: any.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/breaker.h"
#include "base/message.h"
#include "cordon/cell.h"

struct cordon_function;
struct cordon_session;
struct gate_function;

struct gate {
    _Atomic uint32_t turn; /* changes when sessions have to look: breakers, on_start calls */
    pthread_mutex_t lock;  /* guards the rest */
    struct breaker_options cell_options; /* samples 0: no breaker */
    struct breaker_options function_options;
    struct breaker breaker;          /* the cell's */
    struct gate_function *functions; /* those whose own is not quiet */
    uint64_t opened;                 /* how often functions' own ones did */
    uint64_t crashes;                /* workers that ended so */
    uint64_t timeouts;
};

/* How a call passed the gate; all zero: nobody counts it. */
struct gate_pass {
    bool counted;
    bool cell_probe;
    bool function_probe;
};

void gate_init(struct gate *gate, const struct cordon_cell_options *options);
void gate_deinit(struct gate *gate);

/* Sessions have to look before their next call: something is new for all of them. */
void gate_turn(struct gate *gate);

/*
 * May the session's holder call @function? Returns 0, with the pass to be shown to gate_tell(); or
 * CORDON_OPEN with @why and @session->retry_after_ms.
 */
int gate_ask(struct cordon_session *session, const struct cordon_function *function,
             struct gate_pass *ret_pass, struct message *why);

/* The call has ended as @outcome (or a negative errno): count it. Once for each pass. */
void gate_tell(struct cordon_session *session, const struct cordon_function *function,
               const struct gate_pass *pass, int outcome);

/*
 * For workers that are lent, whose calls nobody here sees: the cell's own breaker, by workers' ends as the keeper tells them and by
 * the calls that clients say went well. @is_probe: as gate_lent_ask() had it, told once.
 */
int gate_lent_ask(struct gate *gate, uint64_t now_ns, bool *ret_probe, uint64_t *ret_wait_ns);
void gate_lent_good(struct gate *gate, uint64_t now_ns, uint32_t calls, bool is_probe);
void gate_lent_failed(struct gate *gate, int outcome, bool is_probe);
void gate_lent_void(struct gate *gate, bool is_probe);
enum breaker_state gate_lent_state(struct gate *gate, uint64_t now_ns, uint64_t *ret_until_ns);

void gate_stats(struct gate *gate, struct cordon_cell_stats *stats);

#endif
