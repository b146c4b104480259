/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_LEASE_H
#define LANE_LEASE_H

/*
 * Lease: a worker that a lender (a daemon with cells) starts for a client, on a lane that the client made.
 * What travels between client and lender over the seat, a SOCK_SEQPACKET pair; the board that the lender
 * writes and its clients read; the ledger that the keeper writes and the lender reads. docs/protocol/attach.md
 * says who may do what, and what happens when somebody dies or lies.
 *
 * message   from    fds                        the other side
 * WELCOME   lender  board, plans               knows what is lent, and how
 * LEASE     client  H, W[, event][, arena]     LEASED or REFUSED, one answer each, in order
 * LEASED    lender  -                          goes on as the host of an ordinary lane
 * REFUSED   lender  -                          has no worker, and knows when to ask again
 * END       client  -                          kills the worker; nothing for one that is gone
 * ENDED     lender  -                          looks at its lane; with verdict KEEPER_LOST: gives that
 *
 * field            writes   reads            order               if the writer dies right there
 * ---------------- -------- ---------------- ------------------- ------------------------------------
 * board.now        lender   clients          release / acquire   clients see the socket's end
 * board.until_ns   lender   clients          before now          "
 * ledger.verdict   keeper   lender           release / acquire   the lender sees the pidfd
 * ledger.blamed .. keeper   lender           before verdict      "
 * ledger.gone      keeper   lender           release / acquire   "
 */

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lane/layout.h"

#define LEASE_MAGIC      0x45534c43u /* "CLSE" */
#define LEASE_VERSION    1u
#define LEASE_TEXT_BYTES 224u
#define LEASE_FDS_MAX    4u

enum lease_kind {
    LEASE_WELCOME = 1,
    LEASE_LEASE = 2,
    LEASE_LEASED = 3,
    LEASE_REFUSED = 4,
    LEASE_END = 5,
    LEASE_ENDED = 6,
    LEASE_KIND_COUNT,
};

enum lease_flags {
    LEASE_HAS_EVENT = 1u << 0, /* fd: the eventfd that the worker rings */
    LEASE_HAS_ARENA = 1u << 1, /* fd: the arena's memory */
};

/* Each message begins so, and is as long as its struct. */
struct lease_head {
    uint32_t magic;
    uint16_t version;
    uint16_t kind;
};

struct lease_welcome {
    struct lease_head head;
    uint32_t identity;        /* lane/identity.h: the client's has to be the same */
    uint32_t isolation;       /* enum cordon_isolation: what the cell promises */
    uint32_t call_bytes;      /* most of one call, each way */
    uint32_t epoch;           /* of the board that came along */
    uint64_t deadline_ms;     /* of calls that give none */
    uint64_t deadline_max_ms; /* whatever a call gives, it ends so long after the keeper saw it */
    uint64_t arena_bytes;     /* largest arena; 0: none */
    uint64_t start_ms;        /* a worker has loaded its library by then, or never */
    uint64_t reserved;
};

struct lease_request {
    struct lease_head head;
    uint32_t serial; /* comes back with the answer */
    uint32_t identity;
    uint32_t flags; /* enum lease_flags */
    uint32_t reserved;
    uint64_t arena_base;
    uint64_t arena_bytes;
};

struct lease_leased {
    struct lease_head head;
    uint32_t serial;
    uint32_t worker; /* the lender's number of it: never used twice */
    uint32_t epoch;  /* as the board has it */
    uint32_t reserved;
    uint64_t report_id; /* of the report of its end; 0: there will be none */
};

struct lease_refused {
    struct lease_head head;
    uint32_t serial;
    int32_t outcome; /* enum cordon_outcome, or a negative errno */
    uint32_t retry_after_ms;
    uint32_t reserved;
    char text[LEASE_TEXT_BYTES]; /* a sentence, NUL-terminated */
};

struct lease_end {
    struct lease_head head;
    uint32_t worker;
    uint32_t reserved;
};

struct lease_ended {
    struct lease_head head;
    uint32_t worker;
    uint32_t verdict; /* enum lane_verdict, as the keeper gave it */
};

union lease_message {
    struct lease_head head;
    struct lease_welcome welcome;
    struct lease_request request;
    struct lease_leased leased;
    struct lease_refused refused;
    struct lease_end end;
    struct lease_ended ended;
};

/* ---- The board: one page, sealed, written by the lender alone ---------------------------------- */

#define LEASE_BOARD_MAGIC 0x44524243u /* "CBRD" */
#define LEASE_BOARD_BYTES 4096u

/* The two low bits of `now`; the rest is the epoch. */
enum lease_weather {
    LEASE_CALM = 0,
    LEASE_BREAKER_OPEN = 1,      /* until until_ns: calls are to be refused */
    LEASE_BREAKER_HALF_OPEN = 2, /* calls pass, and are looked at */
    LEASE_WITHDRAWN = 3,         /* nothing is lent any more */
};

struct lease_board {
    uint32_t magic;
    uint32_t version;
    _Atomic uint32_t now; /* epoch << 2 | enum lease_weather */
    uint32_t reserved;
    _Atomic uint64_t until_ns; /* CLOCK_MONOTONIC; BREAKER_OPEN */
};

static inline uint32_t lease_now(uint32_t epoch, enum lease_weather weather)
{
    return epoch << 2 | (uint32_t)weather;
}

static inline enum lease_weather lease_weather(uint32_t now)
{
    return (enum lease_weather)(now & 3u);
}

/* ---- The ledger: one page a lease, written by the keeper, which clients never see -------------- */

#define LEASE_LEDGER_MAGIC 0x47444c43u /* "CLDG" */
#define LEASE_LEDGER_BYTES 4096u

struct lease_ledger {
    uint32_t magic;
    uint32_t version;
    _Atomic uint32_t verdict; /* enum lane_verdict, the keeper's own; 0: none */
    uint32_t blamed;
    _Atomic uint32_t gone;   /* worker and children are reaped */
    _Atomic uint32_t loaded; /* the library is: calls are served */
    struct lane_death death; /* as known with the verdict, or when gone */
};

/* As other languages know it (docs/protocol/attach.md). */
_Static_assert(sizeof(struct lease_head) == 8, "pinned");
_Static_assert(sizeof(struct lease_welcome) == 64, "pinned");
_Static_assert(offsetof(struct lease_welcome, deadline_ms) == 24, "pinned");
_Static_assert(offsetof(struct lease_welcome, start_ms) == 48, "pinned");
_Static_assert(sizeof(struct lease_request) == 40, "pinned");
_Static_assert(offsetof(struct lease_request, arena_base) == 24, "pinned");
_Static_assert(sizeof(struct lease_leased) == 32, "pinned");
_Static_assert(sizeof(struct lease_refused) == 24 + LEASE_TEXT_BYTES, "pinned");
_Static_assert(sizeof(struct lease_end) == 16, "pinned");
_Static_assert(sizeof(struct lease_ended) == 16, "pinned");
_Static_assert(offsetof(struct lease_board, now) == 8, "pinned");
_Static_assert(offsetof(struct lease_board, until_ns) == 16, "pinned");
_Static_assert(sizeof(struct lease_ledger) <= LEASE_LEDGER_BYTES, "a page");

#endif
