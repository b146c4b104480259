/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_LAYOUT_H
#define LANE_LAYOUT_H

/*
 * What lies in the two memories of a lane.
 *
 * H is written by host and keeper, read-only in the worker. W is written by host and worker. W is a
 * claim, H and private memory are the truth (DESIGN.md, Shared memory).
 *
 * H: struct lane_host_page, then request bytes.       W: struct lane_worker_page, then reply bytes,
 *                                                        the last LANE_CALLBACK_SHARE of it for the
 *                                                        worker's callback frames.
 *
 * field            writes          reads          order                  if the writer dies right there
 * ---------------- --------------- -------------- ---------------------- ------------------------------
 * H.verdict        host, keeper    host, keeper   CAS acq_rel, once      nobody else decides: waiters time out
 * H.verdict_seq    winner          host           before verdict_final   "
 * H.verdict_final  winner          host           release / acquire      "
 * H.host_parked    host            worker         fence (Dekker)         one useless wake
 * H.host_cpu       host            worker         relaxed hint           worker parks or spins in vain
 * H.submitted      host            keeper         release / acquire      keeper sees fewer calls
 * H.collected      host            keeper         release / acquire      keeper looks at finished calls
 * H.watch_until    keeper          host           release / acquire      host pokes once too often
 * H.record[]       host            keeper         before submitted       record of an unsent call
 * H.gone           keeper          host           release / acquire      host waits, bounded, then abandons
 * H.death          winner, keeper  host           before gone, verdict   empty text
 * H.violations     keeper          host           release / acquire      the last act is not listed
 * H.violation[]    keeper          host           number 0, act, number  the host skips that record
 * H.resident       keeper          host           relaxed hint           an older number
 * W.mail[].turn    the one to act  the other      release / acquire      the other waits, verdict comes
 * W.mail[].*       "               "              before turn            unread
 * W.worker_state   worker          host           fence (Dekker)         host parks or wakes in vain
 * W.worker_cpu     worker          host           relaxed hint           "
 * W.queued         worker          host           before the event rings one useless look, or a late one
 * W.leaving        worker          host, keeper   before its exit        its exit status speaks for itself
 *
 * A mail line is a conversation: host and worker write it in strict turns. `turn` is step << 4 | verb,
 * and each message of a slot has the step after the last one, whichever side wrote that. Callbacks and
 * calls from inside callbacks go on in the slot of the outermost call: the conversation is the call
 * stack.
 */

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_MAGIC   0x4e414c43u /* "CLAN" */
#define LANE_VERSION 2u
#define LANE_SLOTS   64u
#define LANE_WORDS   6u
#define LANE_LINE    64u
#define LANE_PAGE    4096u

enum lane_verb {
    LANE_NOTHING = 0,
    LANE_CALL = 1, /* host: tag function id; words */
    LANE_CALL_BYTES =
        2,             /* host: tag function id; word 0 place in H, word 1 place in W; 2.. words */
    LANE_RETURN = 3,   /* worker: tag errno, words, status_bytes */
    LANE_CALLBACK = 4, /* worker: tag callback id; word 0 place in W (callback share), word 1
                             word count << 32 | reply bytes wanted; 2.. : words if no bytes (<= 4) */
    LANE_CALLBACK_RETURN = 5, /* host: words; status_bytes; if its bytes are not 0, word 5 is their
                                 place in H */
    LANE_CALL_SHORT = 6, /* host: tag function id; word 0 place of arrays without a frame, in H or
                                 inside the mail; 1.. words; answered by words alone */
    LANE_ALARM = 7,      /* worker, from a crash inside of the call: word 0 signal << 32 | enum
                                 start_alarm, 1 address; nothing comes behind it */
};

/* A place is offset (bits 0-31) and bytes (bits 32-63) in the memory of the one who writes it. */
static inline uint64_t lane_place(uint32_t at, uint32_t bytes)
{
    /* 64 bits: clang 14 takes them for 32. NOLINTNEXTLINE(clang-analyzer-*) */
    return (uint64_t)bytes << 32 | at;
}

/*
 * A place at 0 is inside the mail: the last two words are its bytes. Small arrays (a key, a digest, a UUID) thereby
 * cost no line of H on its way: 30-50 of 350 ns a call.
 */
#define LANE_INSIDE_WORD  4u
#define LANE_INSIDE_BYTES 16u

/* A turn: what the futex word of a mail says. Steps have 28 bits and wrap. */
static inline uint32_t lane_turn(uint32_t step, enum lane_verb verb)
{
    return step << 4 | (uint32_t)verb;
}

static inline uint32_t lane_turn_step(uint32_t turn)
{
    return turn >> 4;
}

static inline enum lane_verb lane_turn_verb(uint32_t turn)
{
    return (enum lane_verb)(turn & 15u);
}

static inline uint32_t lane_step_next(uint32_t step)
{
    return (step + 1u) & 0x0fffffffu;
}

struct lane_mail {
    alignas(LANE_LINE) _Atomic uint32_t turn; /* futex word */
    _Atomic uint32_t tag;
    _Atomic uint64_t words[LANE_WORDS];
    _Atomic uint64_t status_bytes; /* status (int32) << 32 | bytes of the reply */
};
_Static_assert(sizeof(struct lane_mail) == LANE_LINE, "a mail is one cache line");

#define LANE_RECORD_NESTED (1u << 31)

/* One of the last LANE_SLOTS calls: what was asked, kept where the worker cannot write. */
struct lane_record {
    alignas(LANE_LINE) _Atomic uint64_t deadline_ns; /* CLOCK_NEVER: none */
    _Atomic uint32_t function_id;
    _Atomic uint32_t
        step; /* step of the call's message: an answer has a later one with LANE_RETURN */
              /* | LANE_RECORD_NESTED: a LANE_RETURN answers a call inside a callback */
    _Atomic uint64_t words[LANE_WORDS];
};
_Static_assert(sizeof(struct lane_record) == LANE_LINE, "a record is one cache line");

/* Why a lane ended. The first to swap LANE_ALIVE for another wins. */
enum lane_verdict {
    LANE_ALIVE = 0,
    LANE_DIED = 1,     /* death: how */
    LANE_DEADLINE = 2, /* verdict_seq: the call that was late */
    LANE_CLOSED = 3,   /* by its owner */
    LANE_LIED = 4,     /* the worker broke the protocol */
    LANE_FAILED = 5,   /* a callback failed without a failure value */
    LANE_KEEPER_LOST = 6,
    LANE_START_FAILED = 7,  /* death.text: why */
    LANE_WORKER_DENIED = 8, /* ended by policy */
    LANE_RECALLED = 9,      /* by who lent it: idle, or replaced */
};

struct lane_death {
    int32_t code;   /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: not known */
    int32_t status; /* exit status, or signal */
    char text[248]; /* keeper's words when a start failed, NUL-terminated */
};

#define LANE_VIOLATIONS  8u   /* that are kept */
#define LANE_GRANT_BYTES 200u /* of a text, with its NUL */

/* A forbidden act of the worker: number n stands at [(n - 1) % LANE_VIOLATIONS] (lane/violation.h). */
struct lane_violation {
    _Atomic uint32_t number; /* of this act, from 1; 0: being written */
    uint32_t seq;            /* the call that was in progress, or would have come next */
    int32_t system_call;     /* its number on this architecture */
    int32_t error;           /* errno that it was answered; 0: the worker was ended instead */
    uint32_t reserved[2];
    char act[LANE_GRANT_BYTES];   /* "openat /etc/shadow": NUL-terminated, printable */
    char grant[LANE_GRANT_BYTES]; /* "read:/etc/shadow": what would allow it; empty: nothing does */
};

/* What the winner has written behind its verdict. */
enum lane_final {
    LANE_FINAL_SEQ = 1u << 0,
    LANE_FINAL_DEATH = 1u << 1,
};

/* Every answer rings: the host sleeps on an eventfd that it shares with others. */
#define LANE_PARKED_ANY UINT32_MAX

struct lane_host_page {
    uint32_t magic;
    uint32_t version;
    uint32_t h_bytes;
    uint32_t w_bytes;
    uint32_t wake;    /* enum lane_wake of the host's side */
    uint32_t one_cpu; /* the host could use one CPU only when it opened the lane */

    alignas(LANE_LINE) _Atomic uint32_t verdict; /* futex word */
    _Atomic uint32_t verdict_seq;
    _Atomic uint32_t verdict_final; /* futex word: enum lane_final */
    _Atomic uint32_t gone;          /* futex word: 1 once the worker and its children are reaped */
    _Atomic uint32_t violations;    /* ever; the last LANE_VIOLATIONS of them stand below */
    uint32_t reserved;
    _Atomic uint64_t resident_bytes; /* of the worker, when it was measured last; 0: never */
    struct lane_death death;

    alignas(LANE_LINE) _Atomic uint32_t host_parked; /* slot + 1, LANE_PARKED_ANY, or 0 */
    _Atomic uint32_t host_cpu; /* hint: nobody spins while the other side's CPU is its own */

    alignas(LANE_LINE) _Atomic uint32_t submitted; /* calls ever */
    _Atomic uint32_t collected;
    _Atomic uint64_t watch_until_ns; /* when the keeper looks next; 0: it does not watch */

    alignas(LANE_LINE) struct lane_record record[LANE_SLOTS];

    struct lane_violation violation[LANE_VIOLATIONS];
};

enum lane_worker_state {
    LANE_WORKER_STARTING = 0,
    LANE_WORKER_RUNNING = 1, /* on a CPU, looking at its mail or executing */
    LANE_WORKER_PARKED = 2,  /* wake it */
};

/* Why a worker ends itself. Any exit status may be the library's; only this tells whose it was. */
enum lane_leaving {
    LANE_LEAVING_NOT = 0,
    LANE_LEAVING_BROKEN = 1,    /* what the mail says is no message */
    LANE_LEAVING_ABANDONED = 2, /* a callback could not be answered, and had no failure value */
};

struct lane_worker_page {
    alignas(LANE_LINE) _Atomic uint32_t worker_state;
    _Atomic uint32_t worker_cpu; /* hint */
    _Atomic uint32_t queued;     /* callbacks of the library's own threads that wait: a hint */
    _Atomic uint32_t leaving;    /* enum lane_leaving: of a worker that ends itself */
    alignas(LANE_LINE) struct lane_mail mail[LANE_SLOTS];
};

/* How a side is woken. */
enum lane_wake {
    LANE_WAKE_FUTEX = 0,
    LANE_WAKE_EVENTFD = 1,
};

#define LANE_H_BYTES_DEFAULT (64u << 20) /* sparse: only touched pages cost */
#define LANE_W_BYTES_DEFAULT (64u << 20)
#define LANE_CALLBACK_SHARE  4u /* a quarter of W's bytes are for callback frames */

/* Where the bytes begin behind the pages above. */
#define LANE_H_BYTES_AT (2u * LANE_PAGE)
#define LANE_W_BYTES_AT (2u * LANE_PAGE)
_Static_assert(sizeof(struct lane_host_page) <= LANE_H_BYTES_AT, "bytes lie behind the page");
_Static_assert(sizeof(struct lane_worker_page) <= LANE_W_BYTES_AT, "bytes lie behind the page");

/* The least that a memory must have: its page and as much again, split as LANE_CALLBACK_SHARE says. */
#define LANE_BYTES_MIN (8u * LANE_PAGE)

/* Where the callback share begins in W. */
static inline uint32_t lane_callback_at(uint32_t w_bytes)
{
    return w_bytes - w_bytes / LANE_CALLBACK_SHARE;
}

/* Calls are numbered from 1; numbers wrap, the slots go round with them. 0 names no call. */
static inline uint32_t lane_slot_of(uint32_t seq)
{
    return (seq - 1u) % LANE_SLOTS;
}

/* True if call @a was submitted before @b. */
static inline int lane_seq_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* The layout as other languages know it (docs/protocol/lane.md). */
_Static_assert(offsetof(struct lane_host_page, verdict) == 64, "pinned");
_Static_assert(offsetof(struct lane_host_page, violations) == 80, "pinned");
_Static_assert(offsetof(struct lane_host_page, resident_bytes) == 88, "pinned");
_Static_assert(offsetof(struct lane_host_page, death) == 96, "pinned");
_Static_assert(offsetof(struct lane_host_page, host_parked) == 384, "pinned");
_Static_assert(offsetof(struct lane_host_page, submitted) == 448, "pinned");
_Static_assert(offsetof(struct lane_host_page, watch_until_ns) == 456, "pinned");
_Static_assert(offsetof(struct lane_host_page, record) == 512, "pinned");
_Static_assert(offsetof(struct lane_host_page, violation) == 4608, "pinned");
_Static_assert(sizeof(struct lane_violation) == 424, "pinned");
_Static_assert(offsetof(struct lane_worker_page, leaving) == 12, "pinned");
_Static_assert(offsetof(struct lane_worker_page, mail) == 64, "pinned");
_Static_assert(offsetof(struct lane_mail, words) == 8, "pinned");
_Static_assert(offsetof(struct lane_mail, status_bytes) == 56, "pinned");

#endif
