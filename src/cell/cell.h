/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_CELL_H
#define CELL_CELL_H

/*
 * Cell: options, interface, functions and sessions of one isolated library.
 *
 * Threads: any; `lock` guards what is marked so, the rest is constant after cell_open().
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/message.h"
#include "cell/fork_mark.h"
#include "cell/gate.h"
#include "cell/keeper_share.h"
#include "cell/life.h"
#include "cell/line.h"
#include "cell/on_start.h"
#include "cell/quick.h"
#include "cell/reporting.h"
#include "cell/spare.h"
#include "cell/starts.h"
#include "cell/thread.h"
#include "cordon/cell.h"
#include "cordon/function.h"
#include "cordon/session.h"
#include "prototype/plan.h"
#include "prototype/prototype.h"

struct attachment;
struct library;

enum cell_state {
    CELL_OPEN = 0,
    CELL_CLOSED = 1,
    CELL_POISONED = 2, /* thread, inline: a fault in this process */
};

struct cordon_function {
    struct cordon_cell *cell;
    uint32_t id;
    const struct plan *plan;
    size_t plan_bytes;
    const struct cordon_plan_function *record;
    bool mailbox;
    bool flat;    /* sizes are known from the arguments: no pointers inside, nothing DYNAMIC */
    bool dynamic; /* replies of unknown length */
    bool has_handles;
    struct quick quick;
};

struct cordon_cell {
    struct policy policy;               /* compiled from the options */
    struct cordon_cell_options options; /* its strings are the cell's own */
    struct interface *interface;        /* NULL: none given */
    struct keeper_share *keeper;        /* process; NULL: attachment */
    struct attachment *attachment;      /* process: a daemon's cell; NULL: our own */
    struct library *library;            /* thread, inline: loaded in this process */
    uint32_t isolation;
    struct reporting reporting; /* functions are added under lock */
    int generation;             /* of the process that opened it: fork_mark.h */
    uint32_t thread_base;
    _Atomic uint32_t state; /* enum cell_state */
    struct life_counts life_counts;
    struct line_bound queue; /* callers without a session that wait */
    struct gate gate;
    struct starts starts;     /* guarded by lock */
    struct spares spares;     /* guarded by lock */
    struct on_start on_start; /* written under lock */

    pthread_mutex_t lock;
    _Atomic(struct cordon_session *) pool[LIMIT_WORKERS_MAX]; /* written under lock */
    struct cordon_session *sessions;                          /* explicit; guarded by lock */
    uint32_t session_count;                                   /* guarded by lock */
    struct session_totals {
        uint64_t calls;
        uint64_t ended[8];
        uint64_t refused;
    } gone; /* of sessions that were closed; guarded by lock */
    struct cordon_function *functions[LIMIT_FUNCTIONS]; /* guarded by lock */
    uint32_t function_count;                            /* guarded by lock */
};

int cell_open(const struct cordon_cell_options *options, struct cordon_cell **ret_cell,
              struct message *why);
/* A cell of a daemon (attachment.h). */
struct cordon_attach_options;
int cell_attach(const struct cordon_attach_options *options, struct cordon_cell **ret_cell,
                struct message *why);
/* End what is in flight, refuse all else; any number of times before cell_close(). */
void cell_stop(struct cordon_cell *cell);
void cell_close(struct cordon_cell *cell);

/* True inside a callback of one of its sessions. */
bool cell_is_mine(struct cordon_cell *cell);

int cell_refuse(const struct cordon_cell *cell, struct message *why);

/* Not usable any more: an outcome (CORDON_OPEN), -ESHUTDOWN, -ECHILD; 0: go on. */
static inline int cell_usable(const struct cordon_cell *cell, struct message *why)
{
    bool open = fork_mark_intact(cell->generation) &&
                atomic_load_explicit(&cell->state, memory_order_acquire) == CELL_OPEN;
    return open ? 0 : cell_refuse(cell, why);
}

/* The deadline of a call that begins now and gives none. */
static inline uint64_t cell_deadline_ns(const struct cordon_cell *cell)
{
    uint64_t timeout_ms = cell->options.deadline_ms;
    return timeout_ms < CLOCK_NEVER / CLOCK_MS_NS ? clock_roughly_after_ns(timeout_ms * CLOCK_MS_NS)
                                                  : CLOCK_NEVER;
}

/* A call ended so: at level thread and inline a crash poisons the cell. */
void cell_note_outcome(struct cordon_cell *cell, int outcome);

/* An outcome as an errno, where no call is concerned: opening, binding. Others unchanged. */
int outcome_errno(int outcome);

int cell_bind(struct cordon_cell *cell, const char *prototype, uint32_t require,
              struct cordon_function **ret_function, struct message *why);

/* The same of a plan, which is judged first (-EBADMSG). */
int cell_bind_plan(struct cordon_cell *cell, const void *plan, size_t plan_bytes, uint32_t require,
                   struct cordon_function **ret_function, struct message *why);

/* Give each function of its interface an id, as binding does, without asking the library. */
int cell_add_interface(struct cordon_cell *cell, struct message *why);

/* Which of its workers calls of this thread go to. */
static inline uint32_t cell_slot(const struct cordon_cell *cell)
{
    uint32_t workers = cell->options.workers;
    return workers == 1 ? 0 : (cell_thread_number() - cell->thread_base) % workers;
}

int cell_session_make(struct cordon_cell *cell, struct cordon_session **ret_session,
                      struct message *why);

/* The session that calls of this thread use. */
static inline int cell_session(struct cordon_cell *cell, struct cordon_session **ret_session,
                               struct message *why)
{
    *ret_session = atomic_load_explicit(&cell->pool[cell_slot(cell)], memory_order_acquire);
    return *ret_session ? 0 : cell_session_make(cell, ret_session, why);
}

/* The session whose worker has this number, or NULL. */
struct cordon_session *cell_session_of_worker(struct cordon_cell *cell, uint32_t number);

int cell_session_open(struct cordon_cell *cell, struct cordon_session **ret_session,
                      struct message *why);
void cell_session_close(struct cordon_session *session);
/* End its worker, whatever it does: its calls end as CORDON_ABORTED. Any thread. */
void cell_session_interrupt(struct cordon_session *session);

void cell_stats(const struct cordon_cell *cell, struct cordon_cell_stats *ret_stats);

/* What @level with these mechanisms (enum errand_mechanism) and policy promises. */
uint32_t isolation_of(enum cordon_level level, const struct policy *policy, uint32_t mechanisms);

/* "survives-crash"; NULL for what is no single known bit. */
const char *isolation_name(uint32_t bit);

/* Mechanisms that a promise of level process rests on: enum errand_mechanism. */
uint32_t isolation_needs(uint32_t bit);

/* Refuse what is required and not promised: -ENOTSUP, naming it. */
int isolation_require(uint32_t promised, uint32_t required, struct message *why);

/* Refuse what the cell's options require and @mechanisms (in force) do not give: -ENOTSUP, with why. */
int cell_require(const struct cordon_cell *cell, uint32_t mechanisms, struct message *why);

#endif
