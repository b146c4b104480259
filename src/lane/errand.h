/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_ERRAND_H
#define LANE_ERRAND_H

/*
 * Errands: what a host asks of its keeper, one SOCK_SEQPACKET message each, no answers: all that the
 * host must learn is written to H of the lane concerned (verdict, death, gone). When the socket ends,
 * the keeper kills every worker and exits.
 *
 * message   fds                                 the keeper
 * START     H, W[, event][, arena][, card]      maps, seals, starts a worker; failures: verdict START_FAILED
 *           [, reports][, bell][, recording]
 *           [, provision][, ledger]
 * END       -                                   kills the worker, reaps, writes `gone`
 * WATCH     -                                   looks at the lane's deadlines from now on
 * MEASURE   -                                   writes H.resident_bytes
 *
 * A worker is named by a number that the host never uses twice. Every field is judged by the keeper.
 */

#include <stdint.h>

#include "policy/policy.h"

#define ERRAND_MAGIC         0x44525245u
#define ERRAND_VERSION       3u
#define ERRAND_LIBRARY_BYTES 4096u

enum errand_kind {
    ERRAND_START = 1,
    ERRAND_END = 2,
    ERRAND_WATCH = 3,
    ERRAND_MEASURE = 4,
};

enum errand_flags {
    ERRAND_HAS_EVENT = 1u << 0,   /* fd: the eventfd that the worker rings */
    ERRAND_HAS_ARENA = 1u << 1,   /* fd: the arena's memory */
    ERRAND_HAS_CARD = 1u << 2,    /* fd: the cell's card, a memory (report/card.h) */
    ERRAND_HAS_REPORTS = 1u << 3, /* fd: the directory for reports; report_id counts */
    ERRAND_HAS_BELL =
        1u << 4, /* fd: the eventfd that the keeper rings; with ERRAND_HAS_EVENT, and only so */
    ERRAND_HAS_RECORDING = 1u << 5, /* fd: a memory (report/recording.h); with ERRAND_HAS_REPORTS */
    ERRAND_HAS_PROVISION =
        1u << 6, /* fd: what the worker does before it serves (lane/provision.h) */
    /*
     * fd: a ledger (lane/lease.h). The lane is a client's, and H is believed no more than W: verdicts count as
     * they stand in the ledger, deadlines as far as deadline_max_ns. With ERRAND_HAS_BELL, which is the
     * lender's own then; the event stays the client's affair.
     */
    ERRAND_HAS_LEDGER = 1u << 7,
};

/* Mechanisms, as bits: what a start must not use (switched off), and what isolation reports. */
enum errand_mechanism {
    ERRAND_USER_NAMESPACE = 1u << 0,
    ERRAND_PID_NAMESPACE = 1u << 1,
    ERRAND_LANDLOCK = 1u << 2,
    ERRAND_SECCOMP = 1u << 3,
    ERRAND_NO_NEW_PRIVILEGES = 1u << 4,
    ERRAND_LIMITS = 1u << 5,
    ERRAND_MADV_GUARD = 1u << 6,
    ERRAND_UNPRIVILEGED_USER = 1u << 7,
    ERRAND_NOTIFY = 1u << 8,   /* a filter with a listener: refused system calls can be listed */
    ERRAND_TRACE = 1u << 9,    /* the keeper may trace its workers: stacks of a call that hangs */
    ERRAND_REPORTS = 1u << 10, /* the keeper has the program that writes reports */
    ERRAND_LANDLOCK_PORTS = 1u << 11, /* Landlock looks at TCP ports */
};

/* Why a host ends a worker; the recycled make a small report. */
enum errand_reason {
    ERRAND_UNSAID = 0,
    ERRAND_RECYCLED_CALLS = 1, /* it has served as many as it may */
    ERRAND_RECYCLED_TIME = 2,
    ERRAND_RECYCLED_MEMORY = 3,
    ERRAND_RECALLED = 4, /* lent, and taken back: verdict RECALLED, no report */
    ERRAND_REASON_COUNT,
};

struct errand {
    uint32_t magic;
    uint16_t version;
    uint16_t kind; /* enum errand_kind */
    uint32_t worker;
    uint32_t flags;   /* enum errand_flags */
    uint32_t without; /* enum errand_mechanism: pretend that the kernel lacks these */
    uint32_t reason;  /* END: enum errand_reason; 0 otherwise */
    uint64_t arena_base;
    uint64_t arena_bytes;
    uint64_t start_timeout_ns;
    uint64_t report_id; /* names the report of this worker's end; 0 without ERRAND_HAS_REPORTS */
    uint64_t deadline_max_ns; /* with ERRAND_HAS_LEDGER, and only so: how long a call may take */
    /* What follows is sent with START alone: */
    struct policy policy;
    char library[ERRAND_LIBRARY_BYTES]; /* soname or path, NUL-terminated; empty: libc only */
};

/* In the keeper's first message to the host: it is there, and speaks this version. */
struct errand_hello {
    uint32_t magic;
    uint32_t version;
    uint32_t mechanisms; /* enum errand_mechanism that can be in force here */
    uint32_t pid;        /* in the host's namespace if known, else 0 */
    uint32_t identity;   /* lane/identity.h: of this build */
    uint32_t reserved;
};

#endif
