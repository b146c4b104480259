/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_CELL_H
#define CORDON_CELL_H

/*
 * Cell: a native library in isolation - its level, policy and limits, its workers.
 *
 * Life: open (library found and loaded by a first worker), bind, call, close. Closing ends every
 * worker, process, thread and piece of shared memory of the cell.
 *
 * What a cell does to this process: level `process` starts one keeper process per host process, by a
 * short-lived child that raises no SIGCHLD; it installs no signal handler and changes no global state.
 * Level `thread` and `inline` load the library here, and handle SIGSEGV, SIGBUS, SIGFPE, SIGILL and
 * SIGABRT from the first such cell on: faults outside the library are passed to whoever owned the
 * signal before. While it is loaded its constructors run unguarded, under the dynamic loader's lock: one that
 * crashes ends this process, one that hangs hangs cordon_cell_open(). (Jumping out of one would keep that
 * lock, and with it every dlopen() of the process, for ever.) What is to be tried out belongs to level `process`.
 *
 * Fork: cells do not survive it. In a child every call returns -ECHILD, and close only unmaps.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cordon/error.h"
#include "cordon/export.h"
#include "cordon/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cordon_cell;

enum cordon_level {
    CORDON_LEVEL_PROCESS = 0, /* sandboxed worker processes */
    CORDON_LEVEL_THREAD = 1,  /* guarded threads in this process */
    CORDON_LEVEL_INLINE = 2,  /* a guarded direct call */
};

/* What a cell promises, as bits: cordon_cell_isolation(). */
enum cordon_isolation {
    CORDON_SURVIVES_CRASH = 1u << 0,      /* a fault or abort() in the library is an outcome */
    CORDON_SURVIVES_EXIT = 1u << 1,       /* exit() and _exit() in the library are an outcome */
    CORDON_SURVIVES_OVERFLOW = 1u << 2,   /* so is a stack overflow */
    CORDON_RETURNS_AT_DEADLINE = 1u << 3, /* the caller has its answer when the deadline passes */
    CORDON_ENDS_LOOPS = 1u << 4,          /* and what still runs is ended, nothing is left behind */
    CORDON_SEPARATE_MEMORY = 1u << 5,     /* the library cannot write this process's memory */
    CORDON_SEPARATE_SIGNALS = 1u << 6, /* nor change its signal actions, fds, locale, environment */
    CORDON_HEALS = 1u << 7,            /* the next call after a crash is served by a fresh worker */
    CORDON_NO_PROCESSES = 1u << 8,     /* the library cannot start processes */
    CORDON_NO_NETWORK = 1u << 9,
    CORDON_NO_WRITES = 1u << 10,    /* it cannot write files */
    CORDON_NO_ORPHANS = 1u << 11,   /* the kernel ends workers with their keeper (PID namespace) */
    CORDON_UNPRIVILEGED = 1u << 12, /* workers have no capability and no way to get one */
    CORDON_LISTS_VIOLATIONS = 1u << 13, /* what was refused is counted and listed */
    CORDON_LIMITS_MEMORY = 1u << 14,    /* what a worker may allocate ends at memory_bytes */
    CORDON_HANG_STACKS = 1u << 15,      /* a call that timed out is reported with its stacks */
    CORDON_CONFINES_READS = 1u << 16,   /* it reads only what libraries need, and what is granted */
    CORDON_NO_SIGNALS = 1u << 17,       /* it cannot signal other processes */
    CORDON_ONLY_GRANTED_PORTS = 1u << 18, /* TCP reaches and takes the granted ports alone */
    CORDON_BEST_EFFORT = 1u << 30,        /* in a requirement: take what the level gives */
};

/*
 * Mechanisms of the kernel: what a cell may require, and, for tests, must do without, as if the kernel
 * lacked them. cordon/platform.h tells which are there, and has their names.
 */
enum cordon_mechanism {
    CORDON_USER_NAMESPACES = 1u << 0, /* userns */
    CORDON_PID_NAMESPACES = 1u << 1,  /* pidns */
    CORDON_LANDLOCK = 1u << 2,        /* landlock */
    CORDON_SECCOMP = 1u << 3,         /* seccomp */
    CORDON_NO_NEW_PRIVS = 1u << 4,    /* no_new_privs */
    CORDON_LIMITS = 1u << 5,          /* limits */
    CORDON_MADV_GUARD = 1u << 6,      /* madv_guard */
    CORDON_ORDINARY_USER = 1u << 7,   /* ordinary_user */
    CORDON_SECCOMP_NOTIFY = 1u << 8,  /* seccomp_notify */
    CORDON_PTRACE = 1u << 9,          /* ptrace */
};

#define CORDON_NONE UINT32_MAX /* an option whose 0 means its default: none at all */

/* Start from CORDON_CELL_OPTIONS; 0 and NULL mean the default. */
struct cordon_cell_options {
    size_t size;                /* sizeof(struct cordon_cell_options) */
    const char *library;        /* soname as the dynamic loader finds it, or a path; NULL: from the
                              interface; "": the C library itself */
    const char *interface_text; /* declarations; copied. Functions are then bound by name */
    const char *interface_name; /* what errors call them; default "interface" */
    enum cordon_level level;
    enum cordon_policy policy;
    uint32_t workers;            /* most workers for calls without a session: default 5, 1 to 256 */
    uint32_t sessions;           /* most explicit sessions: default 64 */
    uint64_t deadline_ms;        /* of calls that give none: default 3000 */
    uint64_t start_ms;           /* a worker must have loaded the library by then: default 10000 */
    uint64_t memory_bytes;       /* address space a worker may add: default 2 GiB */
    uint32_t call_bytes;         /* most bytes of one call, each way: default 64 MiB */
    uint64_t arena_bytes;        /* arena of each session: default none */
    bool events;                 /* completions make cordon_session_event_fd() readable */
    uint32_t require;            /* enum cordon_isolation: refuse to open without */
    uint32_t without;            /* enum cordon_mechanism */
    uint32_t require_mechanisms; /* enum cordon_mechanism: refuse to open without (level process) */
    uint32_t spares; /* workers kept ready to take over: default 1, at most 8; CORDON_NONE.
                              Level process without arenas; elsewhere there are none */
    uint32_t
        queue; /* most callers without a session that wait for a worker: default 64; CORDON_NONE */
    uint64_t
        recycle_calls; /* replace a worker that holds nothing after so many calls: default never */
    uint64_t recycle_ms; /* ... so long after it began to serve: default never */
    uint64_t
        recycle_bytes; /* ... beyond so much resident memory: default 512 MiB; UINT64_MAX: never */
    uint32_t breaker_percent;          /* failed calls of a hundred that open the cell's breaker:
                                        default 50, at most 100; CORDON_NONE: it has none */
    uint32_t function_breaker_percent; /* the same for each function's own: default 50 */
    uint32_t breaker_samples;          /* of at least so many calls: default 20 */
    uint32_t breaker_window_ms;        /* within so long: default 10000 */
    uint32_t breaker_cool_down_ms;     /* an open one refuses for so long: default 1000 */
    uint32_t breaker_probes;           /* good calls after which it is closed again: default 3 */
    const char *reports;        /* directory of reports (report.h); NULL: this user's; "": none */
    uint32_t reports_max;       /* most files in it: default 64 */
    uint64_t reports_bytes_max; /* most bytes in it: default 64 MiB */
    bool report_bytes;          /* reports show the first bytes of arguments' memory */
    const char *keeper_path;    /* default: the copy inside the library */
    const char *worker_path;
    const char *const *grants;             /* beyond the policy, NULL-terminated: cordon/policy.h */
    enum cordon_on_violation on_violation; /* default: refuse */
    uint64_t cpu_ms;     /* CPU time of a worker's life: default 1 hour, in whole seconds */
    uint64_t file_bytes; /* largest file that a worker may write: default 1 GiB */
    uint32_t fds;        /* descriptors of a worker: default 256 */
    uint32_t threads;    /* threads of a worker: default 64, at most 4096 */
    bool record; /* keep what each worker was asked since its start, so that a report's call can be
                              replayed as part of its session (report.h). Level process, with reports */
    uint64_t record_bytes; /* most bytes of that, for each worker: default 16 MiB, at most 32 MiB */
};
#ifdef __cplusplus
static inline struct cordon_cell_options cordon_cell_options_default(void)
{
    struct cordon_cell_options options = cordon_cell_options();
    options.size = sizeof options;
    return options;
}
#define CORDON_CELL_OPTIONS cordon_cell_options_default()
#else
#define CORDON_CELL_OPTIONS                                                                        \
    {                                                                                              \
        .size = sizeof(struct cordon_cell_options)                                                 \
    }
#endif

/*
 * Open a cell and load its library.
 *
 * Returns 0; -ENOENT (no such library), -ENOEXEC (not an ELF library for this machine), -EINVAL
 * (options, interface text), -ENOTSUP (a required isolation is not to be had; named), -E2BIG, -ENOMEM,
 * or what starting met; the sentence is in @ret_error.
 * Threads: any.
 */
CORDON_API CORDON_MUST_USE int cordon_cell_open(const struct cordon_cell_options *options,
                                                struct cordon_cell **ret_cell,
                                                struct cordon_error *ret_error);

/*
 * End everything of the cell. Calls in flight in other threads end as CORDON_ABORTED first; its
 * sessions must not be used afterwards, functions and handles neither. NULL is fine.
 *
 * Returns 0; -EDEADLK from inside a callback of the cell: then nothing has happened.
 */
CORDON_API int cordon_cell_close(struct cordon_cell *cell);

/*
 * The first half of closing: calls in flight end as CORDON_ABORTED for whoever waits for them, or collects them;
 * all that is asked later is refused (-ESHUTDOWN). Memory stays until cordon_cell_close(), which may follow when no other thread is
 * in a call of the cell any more. For bindings that cannot know otherwise. May be called again.
 *
 * Returns 0; -EDEADLK from inside a callback of the cell: then nothing has happened. Threads: any.
 */
CORDON_API int cordon_cell_stop(struct cordon_cell *cell);

/* enum cordon_isolation bits that are in force for this cell, as probed, not as hoped. */
CORDON_API uint32_t cordon_cell_isolation(const struct cordon_cell *cell);

/* Name of one isolation bit ("survives-crash"); NULL for others. */
CORDON_API const char *cordon_isolation_name(uint32_t bit);

enum cordon_breaker {
    CORDON_BREAKER_CLOSED = 0,    /* calls pass */
    CORDON_BREAKER_OPEN = 1,      /* calls are refused (CORDON_OPEN) until the cool-down is over */
    CORDON_BREAKER_HALF_OPEN = 2, /* a few calls pass, to see how they end */
};

struct cordon_cell_stats {
    uint64_t calls;          /* begun */
    uint64_t ended[8];       /* by enum cordon_outcome */
    uint64_t refused;        /* arguments that did not fit */
    uint32_t workers;        /* alive now, with a session */
    uint32_t started;        /* ever put to work for a session */
    uint32_t quarantined;    /* threads that never came back (level thread) */
    uint32_t spares;         /* kept ready now */
    uint32_t queued;         /* callers without a session that wait for a worker now */
    uint32_t breaker;        /* enum cordon_breaker: the cell's */
    uint32_t breakers_open;  /* of functions, not closed now */
    uint64_t breaker_opened; /* how often one of them opened: the cell's or a function's */
    uint64_t crashes;        /* workers that ended by a crash in a call */
    uint64_t timeouts;       /* ... by a call's deadline */
    uint64_t promoted;       /* spares that took a dead or recycled worker's place */
    uint64_t recycled;       /* workers replaced for their age or memory */
    uint64_t starts_failed;  /* workers that never came to serve */
};

CORDON_API void cordon_cell_stats(const struct cordon_cell *cell,
                                  struct cordon_cell_stats *ret_stats);

#ifdef __cplusplus
}
#endif

#endif
