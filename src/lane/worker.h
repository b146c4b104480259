/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_WORKER_H
#define LANE_WORKER_H

/*
 * The worker's side of a lane: take the next message, answer it, ask the host from inside a call.
 * Runs in the worker program, and in a thread of ours at level thread. It trusts the host, and checks
 * what it gets all the same: a replayed lane is input too.
 *
 * Threads: the one that serves the lane.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lane/layout.h"
#include "lane/wait.h"

struct lane_end {
    const struct lane_host_page *h;
    struct lane_worker_page *w;
    uint32_t h_bytes;
    uint32_t w_bytes;
    int event_fd;               /* to wake the host; -1: futex */
    uint32_t slot;              /* where the next call comes */
    uint32_t turns[LANE_SLOTS]; /* the last one of each slot, written or taken */
    uint32_t callback_used;     /* bytes of the callback share in use: a stack */
    uint32_t spin_limit;        /* adapts to success: the purse of lane/wait.h, in nanoseconds */
    uint32_t cpu;               /* as W.worker_cpu says */
    bool is_thread;             /* nobody kills it: each park ends with a verdict at once */
    struct lane_counts counts;
};

/* A message from the host; words copied. */
struct lane_order {
    enum lane_verb verb; /* CALL, CALL_BYTES, CALL_SHORT, CALLBACK_RETURN */
    uint32_t tag;
    uint32_t word_count; /* of words, where their last two are no bytes */
    alignas(LANE_INSIDE_BYTES) uint64_t words[LANE_WORDS];
    const uint8_t *bytes; /* in H, or the last of the words; NULL: none. Judged: lies inside */
    uint32_t byte_count;
    uint8_t *reply; /* in W; NULL: none. Judged: lies inside W */
    uint32_t reply_bytes_max;
    int32_t status; /* CALLBACK_RETURN */
};

/* Judge the mapped memories and prepare. -EBADMSG if they are no lane of this version. */
int lane_end_init(struct lane_end *end, void *h, uint32_t h_bytes, void *w, uint32_t w_bytes,
                  int event_fd);

/*
 * Wait for the next message of the conversation in progress (@nested), or for the next call.
 * Returns 0; -ESHUTDOWN once a verdict stands in H; -EBADMSG if the message is broken.
 */
int lane_end_take(struct lane_end *end, bool nested, struct lane_order *ret_order);

/* True if lane_end_take() need not wait. */
bool lane_end_has_order(const struct lane_end *end);

/* Answer the call in progress; @outermost: then the next slot's turn has come. */
void lane_end_return(struct lane_end *end, bool outermost, int32_t error_number, int32_t status,
                     const uint64_t *words, uint32_t word_count, uint32_t reply_bytes);

/*
 * So many more callbacks (or fewer) wait on threads of the library: counted in W, and where there are more
 * the host's event descriptor becomes readable. Threads: any.
 */
void lane_end_queued(const struct lane_end *end, int change);

/*
 * Tell the host of a crash inside of the call that is being executed, ahead of the keeper's verdict: it saves
 * a wake-up. Nothing if there is none. From a signal's handler, on the thread that serves.
 */
void lane_end_alarm(struct lane_end *end, int signal, uint32_t flags, uint64_t address);

/* Say why this worker is about to end itself. Threads: any. */
void lane_end_leave(const struct lane_end *end, enum lane_leaving why);

/*
 * Wait while @word, in private memory, is @seen, and no verdict stands; until @until_ns.
 * Returns 0: look again; -ESHUTDOWN under a verdict.
 */
int lane_end_wait(const struct lane_end *end, const _Atomic uint32_t *word, uint32_t seen,
                  uint64_t until_ns);

/* Room for a callback frame in W's callback share; a stack. NULL: full. */
uint8_t *lane_end_callback_push(struct lane_end *end, uint32_t bytes);
void lane_end_callback_pop(struct lane_end *end, uint32_t bytes);

/* Ask the host. @frame from callback_push, or NULL with at most 4 words. The answer comes by lane_end_take(nested). */
void lane_end_callback(struct lane_end *end, uint32_t callback_id, const uint8_t *frame,
                       uint32_t frame_bytes, const uint64_t *words, uint32_t word_count,
                       uint32_t reply_bytes_max);

#endif
