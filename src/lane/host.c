/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/host.h"

#include "base/cpu.h"
#include "base/futex.h"
#include "base/probe.h"
#include "lane/host_private.h"
#include "lane/verdict.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>

static bool message_carries_bytes(const struct lane_message *message)
{
    return message->verb == LANE_CALL_BYTES;
}

/* How many bytes the answer to @message may have: what its place in W holds. */
static uint32_t reply_max_of(const struct lane_message *message)
{
    return message_carries_bytes(message) ? (uint32_t)(message->words[1] >> 32) : 0;
}

/* Kept for the keeper and the report, in lines that the worker cannot write and has no reason to read. */
static void record(struct lane_record *record, const struct lane_message *message, uint32_t step,
                   uint64_t deadline_ns)
{
    /* Relaxed: published by `submitted`. */
    atomic_store_explicit(&record->deadline_ns, deadline_ns, memory_order_relaxed);
    atomic_store_explicit(&record->function_id, message->tag, memory_order_relaxed);
    atomic_store_explicit(&record->step, step, memory_order_relaxed);
    CPU_UNROLL
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        atomic_store_explicit(&record->words[i], message->words[i], memory_order_relaxed);
    }
}

/* Hand the word to the worker. */
static void publish(struct lane *lane, uint32_t index, const struct lane_message *message)
{
    struct lane_mail *mail = &lane->w->mail[index];
    struct lane_slot *slot = &lane->slots[index];
    /* Relaxed: published by the turn. */
    atomic_store_explicit(&mail->tag, message->tag, memory_order_relaxed);
    CPU_UNROLL
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        atomic_store_explicit(&mail->words[i], message->words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&mail->status_bytes, message->status_bytes, memory_order_relaxed);
    slot->turn = lane_turn(lane_step_next(lane_turn_step(slot->turn)), message->verb);
    slot->state = LANE_SLOT_SENT;
    /*
     * Pairs with the acquire in lane_end_take(): words before turn. A plain store follows the words out of
     * the store buffer; the fence that Dekker needs comes in ring(), while the line is on its way already.
     */
    atomic_store_explicit(&mail->turn, slot->turn, memory_order_release);
}

/* Wake the worker if it sleeps on the mail of slot @index. */
static void ring(struct lane *lane, uint32_t index)
{
    /* Dekker, with the worker's park(): here turn, fence, worker_state; there worker_state, fence, turn. */
    cpu_fence();
    if (atomic_load_explicit(&lane->w->worker_state, memory_order_relaxed) == LANE_WORKER_PARKED) {
        lane->counts.wakes++;
        futex_wake(&lane->w->mail[index].turn, 1);
    }
}

/* Written on changes only: the line stays clean in the worker's cache. */
static void hint_cpu(struct lane *lane)
{
    uint32_t cpu = (uint32_t)sched_getcpu();
    if (cpu != lane->cpu) {
        lane->cpu = cpu;
        atomic_store_explicit(&lane->h->host_cpu, cpu, memory_order_relaxed);
    }
}

static bool ended(const struct lane *lane)
{
    /* Relaxed: a call that slips in just before the verdict is ended by it in lane_await(). */
    return atomic_load_explicit(&lane->h->verdict, memory_order_relaxed) != LANE_ALIVE;
}

/* Take the next slot, record and publish. Nobody is woken. */
static inline int send(struct lane *lane, const struct lane_message *message, uint64_t deadline_ns,
                       uint32_t *ret_seq)
{
    assert(message->verb == LANE_CALL || message->verb == LANE_CALL_BYTES ||
           message->verb == LANE_CALL_SHORT);
    if (ended(lane)) {
        return -EPIPE;
    }
    if (lane->submitted - lane->collected >= LANE_SLOTS) {
        return -EAGAIN;
    }
    uint32_t seq = ++lane->submitted;
    uint32_t index = lane_slot_of(seq);
    struct lane_slot *slot = &lane->slots[index];
    slot->depth = 0;
    slot->timing = lane_timing_for(message);
    slot->reply_max = reply_max_of(message);
    record(&lane->h->record[index], message, lane_step_next(lane_turn_step(slot->turn)),
           deadline_ns);
    /* Pairs with the acquire in keeper.c: record before submitted. */
    atomic_store_explicit(&lane->h->submitted, seq, memory_order_release);
    PROBE2(submit, seq, message->tag);
    publish(lane, index, message);
    *ret_seq = seq;
    return 0;
}

int lane_submit(struct lane *lane, const struct lane_message *message, uint64_t deadline_ns,
                bool ring_now, uint32_t *ret_seq)
{
    int r = send(lane, message, deadline_ns, ret_seq);
    if (r != 0) {
        return r;
    }
    if (!lane->has_unrung) {
        lane->has_unrung = true;
        lane->unrung = *ret_seq;
    }
    if (ring_now) {
        lane_ring(lane);
    }
    hint_cpu(lane);
    return 0;
}

/* A plain answer alone is taken. Anything else stays where it is. */
static inline bool take_plain_answer(struct lane *lane, uint32_t seq, struct lane_event *ret_event)
{
    uint32_t index = lane_slot_of(seq);
    struct lane_slot *slot = &lane->slots[index];
    const struct lane_mail *mail = &lane->w->mail[index];
    uint32_t turn = lane_load_turn(lane, index);
    /* Relaxed: the acquire of the turn came before; a worker that writes on only spoils its own answer. */
    ret_event->tag = atomic_load_explicit(&mail->tag, memory_order_relaxed);
    ret_event->words[0] = atomic_load_explicit(&mail->words[0], memory_order_relaxed);
    uint64_t status_bytes = atomic_load_explicit(&mail->status_bytes, memory_order_relaxed);
    if (turn != lane_turn(lane_step_next(lane_turn_step(slot->turn)), LANE_RETURN) ||
        status_bytes != 0 || lane_load_verdict(lane) != LANE_ALIVE) {
        return false;
    }
    slot->turn = turn;
    slot->state = LANE_SLOT_ANSWERED;
    ret_event->verb = LANE_RETURN;
    ret_event->status = 0;
    ret_event->reply_bytes = 0;
    PROBE1(reply, seq);
    return true;
}

static inline bool spin_patiently(struct lane *lane, uint32_t index, struct lane_timing *timing)
{
    struct lane_patience *patience = &timing->patience;
    if (timing->expectation.trust >= LANE_EXPECT_TRUST) {
        return false; /* it will not come so soon */
    }
    uint32_t pauses = lane_patience_begin(patience);
    for (uint32_t pause = 1; pause < pauses; pause++) { /* the last one stands before the look */
        cpu_relax();
    }
    uint32_t looks = lane_spin_soon(&lane->w->mail[index].turn, lane->slots[index].turn,
                                    &lane->purse, &lane->counts);
    lane_patience_end(patience, pauses, looks);
    if (looks != 0) {
        timing->expectation.trust = 0;
    }
    return looks != 0;
}

int lane_exchange(struct lane *lane, const struct lane_message *message, uint64_t deadline_ns,
                  struct lane_event *ret_event, uint32_t *ret_seq)
{
    if (lane->collected != lane->submitted) {
        return -EBUSY;
    }
    int r = send(lane, message, deadline_ns, ret_seq);
    if (r != 0) {
        return r;
    }
    uint32_t index = lane_slot_of(*ret_seq);
    ring(lane, index);
    hint_cpu(lane);
    if (lane->nudged || !lane_may_spin(lane) || !lane_is_rich(lane->purse, LANE_SPIN_HOST_NS)) {
        return LANE_EXPIRED;
    }
    return spin_patiently(lane, index, lane_timing_of(lane, index)) &&
                   take_plain_answer(lane, *ret_seq, ret_event)
               ? LANE_CAME
               : LANE_EXPIRED;
}

void lane_set_deadline(struct lane *lane, uint32_t seq, uint64_t deadline_ns)
{
    /* Relaxed: published by the read-modify-write of lane_needs_watch(). */
    atomic_store_explicit(&lane->h->record[lane_slot_of(seq)].deadline_ns, deadline_ns,
                          memory_order_relaxed);
}

/* Sent, and not answered: an answer that was taken looks the same in the mail. */
static bool is_awaited(const struct lane *lane, uint32_t seq)
{
    const struct lane_slot *slot = &lane->slots[lane_slot_of(seq)];
    return slot->state == LANE_SLOT_SENT &&
           atomic_load_explicit(&lane->w->mail[lane_slot_of(seq)].turn, memory_order_relaxed) ==
               slot->turn;
}

/*
 * The slot that a sleeping worker sleeps on: it goes through the slots in order, and waits for the oldest
 * call that it has not answered. That need not be the oldest unrung one: it may have served some unasked.
 */
static uint32_t awaited_slot(const struct lane *lane)
{
    /* What is collected is forgotten, its slot perhaps another call's. */
    uint32_t seq =
        lane_seq_before(lane->collected, lane->unrung) ? lane->unrung : lane->collected + 1;
    while (seq != lane->submitted && !is_awaited(lane, seq)) {
        seq++;
    }
    return lane_slot_of(seq);
}

void lane_ring(struct lane *lane)
{
    if (!lane->has_unrung) {
        return;
    }
    lane->has_unrung = false;
    if (lane->collected == lane->submitted) {
        return;
    }
    /* Dekker, as in ring(); behind the fence an answer that came before the sleep is seen, too. */
    cpu_fence();
    if (atomic_load_explicit(&lane->w->worker_state, memory_order_relaxed) == LANE_WORKER_PARKED) {
        lane->counts.wakes++;
        futex_wake(&lane->w->mail[awaited_slot(lane)].turn, 1);
    }
}

/* Keep the stack of calls: what the innermost one may answer, and whether it is the outermost. */
static void nest(struct lane *lane, uint32_t index, const struct lane_message *message)
{
    struct lane_slot *slot = &lane->slots[index];
    struct lane_record *record = &lane->h->record[index];
    if (message->verb != LANE_CALLBACK_RETURN) {
        slot->reply_max = reply_max_of(message);
        atomic_fetch_or_explicit(&record->step, LANE_RECORD_NESTED, memory_order_relaxed);
        return;
    }
    slot->depth--;
    slot->reply_max = lane->outer_reply_max[index][slot->depth];
    if (slot->depth == 0) {
        /* Relaxed: the turn that follows publishes it; a keeper that sees the old value only looks later. */
        atomic_fetch_and_explicit(&record->step, ~LANE_RECORD_NESTED, memory_order_relaxed);
    }
}

int lane_continue(struct lane *lane, uint32_t seq, const struct lane_message *message)
{
    assert(lane_in_flight(lane, seq));
    uint32_t index = lane_slot_of(seq);
    if (ended(lane)) {
        return -EPIPE;
    }
    assert(lane->slots[index].state == LANE_SLOT_HELD && lane->slots[index].depth > 0);
    nest(lane, index, message);
    publish(lane, index, message);
    ring(lane, index);
    hint_cpu(lane);
    return 0;
}

int lane_any(struct lane *lane, uint32_t *ret_seq)
{
    bool over = ended(lane);
    for (uint32_t seq = lane->collected + 1;
         seq - lane->collected - 1 < lane->submitted - lane->collected; seq++) {
        uint32_t index = lane_slot_of(seq);
        const struct lane_slot *slot = &lane->slots[index];
        if (slot->state == LANE_SLOT_FREE) {
            continue;
        }
        /* Relaxed: a hint; lane_await() looks with acquire. */
        uint32_t turn = atomic_load_explicit(&lane->w->mail[index].turn, memory_order_relaxed);
        if (over || (slot->state == LANE_SLOT_SENT && turn != slot->turn)) {
            *ret_seq = seq;
            return 0;
        }
    }
    return -EAGAIN;
}

void lane_collect(struct lane *lane, uint32_t seq)
{
    assert(lane_in_flight(lane, seq));
    uint32_t index = lane_slot_of(seq);
    lane->slots[index].state = LANE_SLOT_FREE;
    if (seq != lane->collected + 1) {
        /* Relaxed: a keeper that sees the old deadline sees an answered call. */
        atomic_store_explicit(&lane->h->record[index].deadline_ns, UINT64_MAX,
                              memory_order_relaxed);
        return;
    }
    while (lane->collected != lane->submitted &&
           lane->slots[lane_slot_of(lane->collected + 1)].state == LANE_SLOT_FREE) {
        lane->collected++;
    }
    if (ended(lane)) {
        return; /* the keeper of a lent worker sees by itself whether a call was late */
    }
    /* Pairs with the acquire in keeper.c: collected slots are not looked at. */
    atomic_store_explicit(&lane->h->collected, lane->collected, memory_order_release);
}

bool lane_condemn(struct lane *lane, enum lane_verdict verdict, uint32_t seq)
{
    return lane_verdict_give(lane->h, lane->w, lane->bell_fd, verdict, seq, NULL);
}

bool lane_condemn_crashed(struct lane *lane, uint32_t seq, const struct lane_death *death)
{
    return lane_verdict_give(lane->h, lane->w, lane->bell_fd, LANE_DIED, seq, death);
}

void lane_nudge(struct lane *lane)
{
    hint_cpu(lane);
    ring(lane, lane_slot_of(lane->submitted + 1));
    lane->nudged = lane->h->one_cpu == 0;
}

bool lane_seems_watched(const struct lane *lane, uint64_t deadline_ns)
{
    /* Relaxed: a hint. */
    uint64_t looks_ns = atomic_load_explicit(&lane->h->watch_until_ns, memory_order_relaxed);
    return looks_ns != 0 && looks_ns <= deadline_ns;
}

bool lane_needs_watch(const struct lane *lane, uint64_t deadline_ns)
{
    /*
     * A read-modify-write, as the keeper's in lane_ward_overdue(): either this one sees what the keeper
     * wrote before it looked, or the keeper sees the call that was submitted before this.
     */
    uint64_t looks_ns = atomic_fetch_or_explicit(&lane->h->watch_until_ns, 0, memory_order_acq_rel);
    return looks_ns == 0 || deadline_ns < looks_ns;
}
