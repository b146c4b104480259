/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_HOST_PRIVATE_H
#define LANE_HOST_PRIVATE_H

/* What the files of the host's side share. Private memory: the truth about a lane. */

#include "base/limits.h"
#include "lane/expectation.h"
#include "lane/host.h"
#include "lane/layout.h"
#include "lane/patience.h"
#include "lane/room.h"

#define LANE_TIMINGS 128u /* what is beyond shares them */

/* When answers of calls of one function come, and of about one size: 1 KB takes another time than 16 bytes. */
struct lane_timing {
    struct lane_patience patience;
    struct lane_expectation expectation;
};

enum lane_slot_state {
    LANE_SLOT_FREE, /* no call, or collected */
    LANE_SLOT_SENT, /* the worker has the word */
    LANE_SLOT_HELD, /* the host has the word: a callback, or a nested call's answer, was taken */
    LANE_SLOT_ANSWERED, /* the outermost answer was taken */
    LANE_SLOT_ENDED,    /* by the verdict: for ever */
};

struct lane_slot {
    uint32_t turn;      /* the last one that was published, or accepted */
    uint32_t reply_max; /* of the innermost call in progress */
    uint8_t state;      /* enum lane_slot_state */
    uint8_t depth;      /* callbacks in progress */
    uint8_t timing;     /* which one is the outermost call's */
};

struct lane {
    struct lane_host_page *h;
    struct lane_worker_page *w;
    uint32_t submitted; /* number of the newest call */
    uint32_t collected; /* up to this call all are collected */
    uint32_t unrung;    /* oldest call that the worker was not woken for */
    bool has_unrung;    /* there is one */
    uint32_t cpu;       /* as H.host_cpu says */
    uint32_t purse;     /* lane/wait.h */
    enum lane_wake wake;
    bool nudged;   /* its worker is on its way to a CPU: worth a longer look */
    bool is_quiet; /* EVENTFD: answers do not ring */
    struct lane_counts counts;
    struct lane_slot slots[LANE_SLOTS];
    struct lane_timing timing[LANE_TIMINGS];
    uint32_t waited;          /* the call whose next message is waited for beyond a spin; 0: none */
    uint64_t waited_since_ns; /* from when on */

    uint32_t h_bytes;
    uint32_t w_bytes;
    int h_fd;
    int w_fd;
    int event_fd; /* the worker has it, too */
    int bell_fd;  /* it has not */
    int alarm_fd; /* a third one, of the caller's; -1 */
    struct lane_space h_space;
    struct lane_space w_space;
    /* reply_max of the calls around the innermost one. */
    uint32_t outer_reply_max[LANE_SLOTS][LIMIT_DEPTH];
};

static inline uint8_t lane_timing_for(const struct lane_message *message)
{
    uint32_t bytes = message->verb == LANE_CALL ? 0 : (uint32_t)(message->words[0] >> 32);
    uint32_t size = bytes == 0 ? 0 : 32u - (uint32_t)__builtin_clz(bytes);
    uint32_t kind = message->tag + (size << 16) + ((uint32_t)message->verb << 24);
    return (uint8_t)((kind * 2654435761u) >> 25); /* Knuth's multiplicative hash */
}

static inline struct lane_timing *lane_timing_of(struct lane *lane, uint32_t index)
{
    return &lane->timing[lane->slots[index].timing];
}

static inline uint32_t lane_load_turn(const struct lane *lane, uint32_t index)
{
    /* Pairs with the release in the worker's publish(): words and bytes before turn. */
    return atomic_load_explicit(&lane->w->mail[index].turn, memory_order_acquire);
}

static inline enum lane_verdict lane_load_verdict(const struct lane *lane)
{
    return (enum lane_verdict)atomic_load_explicit(&lane->h->verdict, memory_order_acquire);
}

static inline bool lane_may_spin(const struct lane *lane)
{
    /* Relaxed: hints. A lie costs one spin or one wake-up. */
    uint32_t state = atomic_load_explicit(&lane->w->worker_state, memory_order_relaxed);
    uint32_t cpu = atomic_load_explicit(&lane->w->worker_cpu, memory_order_relaxed);
    return state == LANE_WORKER_RUNNING && cpu != lane->cpu;
}

static inline bool lane_in_flight(const struct lane *lane, uint32_t seq)
{
    return seq - lane->collected - 1u < lane->submitted - lane->collected &&
           lane->slots[lane_slot_of(seq)].state != LANE_SLOT_FREE;
}

#endif
