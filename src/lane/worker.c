/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/worker.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/futex.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* An idle worker looks around twice a minute: cheap enough, and no lost wake-up lasts for ever. */
#define PARK_NS (30u * CLOCK_SECOND_NS)

/* What small calls touch; the host has made the same pages. */
#define WARM_BYTES (64u * 1024u)

/* Lines of a request that are asked for when its place is known. */
#define AHEAD_BYTES 2048u

static bool page_is_sound(const struct lane_host_page *h, uint32_t h_bytes, uint32_t w_bytes)
{
    return h->magic == LANE_MAGIC && h->version == LANE_VERSION && h->h_bytes == h_bytes &&
           h->w_bytes == w_bytes && h_bytes >= LANE_BYTES_MIN && w_bytes >= LANE_BYTES_MIN;
}

int lane_end_init(struct lane_end *end, void *h, uint32_t h_bytes, void *w, uint32_t w_bytes,
                  int event_fd)
{
    const struct lane_host_page *page = h;
    if (!page_is_sound(page, h_bytes, w_bytes)) {
        return -EBADMSG;
    }
    if ((page->wake == LANE_WAKE_EVENTFD) != (event_fd >= 0)) {
        return -EBADMSG;
    }
    memset(end, 0, sizeof *end);
    end->h = page;
    end->w = w;
    end->h_bytes = h_bytes;
    end->w_bytes = w_bytes;
    end->event_fd = event_fd;
    end->spin_limit = LANE_PURSE_START_NS;
    /* Only speed is lost where this is refused. */
    (void)madvise(h,
                  LANE_H_BYTES_AT + WARM_BYTES < h_bytes ? LANE_H_BYTES_AT + WARM_BYTES : h_bytes,
                  MADV_POPULATE_READ);
    (void)madvise(w,
                  LANE_W_BYTES_AT + WARM_BYTES < w_bytes ? LANE_W_BYTES_AT + WARM_BYTES : w_bytes,
                  MADV_POPULATE_WRITE);
    end->cpu = (uint32_t)sched_getcpu();
    /* Relaxed: hints. */
    atomic_store_explicit(&end->w->worker_cpu, end->cpu, memory_order_relaxed);
    atomic_store_explicit(&end->w->worker_state, LANE_WORKER_RUNNING, memory_order_relaxed);
    return 0;
}

static uint32_t load_turn(const struct lane_end *end)
{
    /* Pairs with the release in the host's publish(): words and bytes before turn. */
    return atomic_load_explicit(&end->w->mail[end->slot].turn, memory_order_acquire);
}

static bool has_ended(const struct lane_end *end)
{
    return atomic_load_explicit(&end->h->verdict, memory_order_acquire) != LANE_ALIVE;
}

/* Written on changes only: the line stays clean in the host's cache. */
static void hint_cpu(struct lane_end *end)
{
    uint32_t cpu = (uint32_t)sched_getcpu();
    if (cpu != end->cpu) {
        end->cpu = cpu;
        atomic_store_explicit(&end->w->worker_cpu, cpu, memory_order_relaxed);
    }
}

static bool may_spin(const struct lane_end *end)
{
    /* Relaxed: a hint. */
    return atomic_load_explicit(&end->h->host_cpu, memory_order_relaxed) != end->cpu;
}

/* @first  on the turn alone: lane/wait.h. True: somebody woke us. */
static bool park(struct lane_end *end, uint32_t seen, bool first)
{
    bool woken = false;
    const _Atomic uint32_t *turn = &end->w->mail[end->slot].turn;
    _Atomic uint32_t *state = &end->w->worker_state;
    first = first && !end->is_thread;
    bool rough = first && lane_is_rich(end->spin_limit, LANE_SPIN_WORKER_NS);
    uint64_t now_ns = rough ? clock_tick_ns() : clock_now_ns();
    /* Dekker, with the host's ring(): here worker_state, fence, turn; there turn, fence, worker_state. */
    atomic_store_explicit(state, LANE_WORKER_PARKED, memory_order_relaxed);
    cpu_fence();
    if (atomic_load_explicit(turn, memory_order_relaxed) == seen &&
        !lane_changed(&end->h->verdict, LANE_ALIVE)) {
        end->counts.parks++;
        int r = first ? futex_wait(turn, seen, now_ns + LANE_PARK_FIRST_NS)
                      : futex_wait_two(turn, seen, &end->h->verdict, LANE_ALIVE, now_ns + PARK_NS);
        woken = r == 0;
        if (r == -ETIMEDOUT && atomic_load_explicit(turn, memory_order_relaxed) != seen) {
            end->counts.park_timeouts++;
        }
    }
    /* Relaxed: a host that sees it late makes one wake-up for nobody. */
    atomic_store_explicit(state, LANE_WORKER_RUNNING, memory_order_relaxed);
    lane_parked(now_ns, LANE_SPIN_WORKER_NS, &end->spin_limit);
    return woken;
}

/* Wait until the turn is no longer @seen; returns it, or @seen under a verdict. */
static uint32_t await_turn(struct lane_end *end, uint32_t seen)
{
    uint32_t turn = load_turn(end);
    if (turn != seen) {
        return turn;
    }
    hint_cpu(end);
    bool spins = true;
    for (bool first = true; turn == seen && !has_ended(end); first = false) {
        if (spins && may_spin(end)) {
            lane_spin(&end->w->mail[end->slot].turn, seen, &end->h->verdict, LANE_SPIN_WORKER_NS,
                      &end->spin_limit, &end->counts);
            turn = load_turn(end);
        }
        if (turn == seen) {
            spins = park(end, seen,
                         first); /* woken without a turn: it is about to come (lane_nudge()) */
            hint_cpu(end);
            turn = load_turn(end);
        }
    }
    return turn;
}

/* A place in H; NULL for no bytes. */
static bool judge_request(const struct lane_end *end, uint64_t place, struct lane_order *order)
{
    uint32_t at = (uint32_t)place;
    uint32_t bytes = (uint32_t)(place >> 32);
    order->byte_count = bytes;
    order->bytes = bytes == 0 ? NULL : (const uint8_t *)end->h + at;
    return bytes == 0 || (at >= LANE_H_BYTES_AT && at < end->h_bytes && bytes <= end->h_bytes - at);
}

/* A place inside the mail: its words are copied already. */
static bool judge_inside(uint64_t place, struct lane_order *order)
{
    order->byte_count = (uint32_t)(place >> 32);
    order->bytes = (const uint8_t *)&order->words[LANE_INSIDE_WORD];
    order->word_count = LANE_INSIDE_WORD;
    return order->byte_count != 0 && order->byte_count <= LANE_INSIDE_BYTES;
}

/* A place in W, outside the callback share; NULL for no bytes. */
static bool judge_reply(const struct lane_end *end, uint64_t place, struct lane_order *order)
{
    uint32_t at = (uint32_t)place;
    uint32_t bytes = (uint32_t)(place >> 32);
    uint32_t share_at = lane_callback_at(end->w_bytes);
    order->reply_bytes_max = bytes;
    order->reply = bytes == 0 ? NULL : (uint8_t *)end->w + at;
    return bytes == 0 || (at >= LANE_W_BYTES_AT && at < share_at && bytes <= share_at - at);
}

/* @has_bytes  a callback's answer carries bytes: only then its last word is their place. */
static int judge(const struct lane_end *end, bool nested, bool has_bytes, struct lane_order *order)
{
    bool sound;
    order->bytes = NULL;
    order->byte_count = 0;
    order->word_count = LANE_WORDS;
    order->reply = NULL;
    order->reply_bytes_max = 0;
    switch (order->verb) {
    case LANE_CALL:
        sound = true;
        break;
    case LANE_CALL_SHORT:
        sound = (uint32_t)order->words[0] == 0
                    ? judge_inside(order->words[0], order)
                    : judge_request(end, order->words[0], order) && order->bytes != NULL;
        break;
    case LANE_CALL_BYTES:
        sound =
            judge_request(end, order->words[0], order) && judge_reply(end, order->words[1], order);
        break;
    case LANE_CALLBACK_RETURN:
        sound = nested && (!has_bytes || judge_request(end, order->words[LANE_WORDS - 1], order));
        break;
    default:
        sound = false;
    }
    return sound ? 0 : -EBADMSG;
}

/* The lines of a short request at once, not one after the other as they are read. */
static inline void fetch_ahead(const struct lane_order *order)
{
    uint32_t bytes = order->byte_count < AHEAD_BYTES ? order->byte_count : AHEAD_BYTES;
    for (uint32_t at = 0; at < bytes; at += LANE_LINE) {
        cpu_fetch(order->bytes + at);
    }
}

bool lane_end_has_order(const struct lane_end *end)
{
    return load_turn(end) != end->turns[end->slot] || has_ended(end);
}

int lane_end_take(struct lane_end *end, bool nested, struct lane_order *ret_order)
{
    const struct lane_mail *mail = &end->w->mail[end->slot];
    uint32_t turn = await_turn(end, end->turns[end->slot]);
    if (has_ended(end)) {
        return -ESHUTDOWN;
    }
    if (lane_turn_step(turn) != lane_step_next(lane_turn_step(end->turns[end->slot]))) {
        return -EBADMSG;
    }
    end->turns[end->slot] = turn;
    cpu_claim(mail); /* the answer will be written there: 5-10 of 300 ns a call */
    ret_order->verb = lane_turn_verb(turn);
    /* Relaxed: the acquire of the turn came before. */
    ret_order->tag = atomic_load_explicit(&mail->tag, memory_order_relaxed);
    CPU_UNROLL
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        ret_order->words[i] = atomic_load_explicit(&mail->words[i], memory_order_relaxed);
    }
    uint64_t status_bytes = atomic_load_explicit(&mail->status_bytes, memory_order_relaxed);
    ret_order->status = (int32_t)(status_bytes >> 32);
    int r = judge(end, nested, (uint32_t)status_bytes != 0, ret_order);
    if (r == 0) {
        fetch_ahead(ret_order);
    }
    return r;
}

void lane_end_queued(const struct lane_end *end, int change)
{
    /* Relaxed: the ring's system calls order it (ring_for_queued()). */
    (void)atomic_fetch_add_explicit(&end->w->queued, (uint32_t)change, memory_order_relaxed);
    if (change > 0 && end->event_fd >= 0) {
        uint64_t one = 1;
        ssize_t written = write(end->event_fd, &one, sizeof one);
        (void)written; /* EAGAIN: full, hence readable. */
    }
}

void lane_end_leave(const struct lane_end *end, enum lane_leaving why)
{
    /* Relaxed: read by who has seen the end of this process. */
    atomic_store_explicit(&end->w->leaving, why, memory_order_relaxed);
}

int lane_end_wait(const struct lane_end *end, const _Atomic uint32_t *word, uint32_t seen,
                  uint64_t until_ns)
{
    if (!has_ended(end)) {
        (void)futex_wait_two(word, seen, &end->h->verdict, LANE_ALIVE, until_ns);
    }
    return has_ended(end) ? -ESHUTDOWN : 0;
}

/* Wake the host if it sleeps on this slot. */
static void ring(struct lane_end *end)
{
    /* Dekker, with the host's park_on_futex(): here turn, fence, host_parked; there the reverse. */
    cpu_fence();
    uint32_t parked = atomic_load_explicit(&end->h->host_parked, memory_order_relaxed);
    if (parked == end->slot + 1) {
        end->counts.wakes++;
        futex_wake(&end->w->mail[end->slot].turn, 1);
    } else if (parked == LANE_PARKED_ANY && end->event_fd >= 0) {
        uint64_t one = 1;
        ssize_t written = write(end->event_fd, &one, sizeof one);
        (void)written; /* EAGAIN: full, hence readable. */
        end->counts.wakes++;
    }
}

/* Hand the word to the host: the words stand in the mail. */
static void publish(struct lane_end *end, enum lane_verb verb)
{
    uint32_t *turn = &end->turns[end->slot];
    *turn = lane_turn(lane_step_next(lane_turn_step(*turn)), verb);
    /* Pairs with the acquire in lane_look(): words and bytes before turn. Why no exchange: host.c. */
    atomic_store_explicit(&end->w->mail[end->slot].turn, *turn, memory_order_release);
    ring(end);
}

void lane_end_return(struct lane_end *end, bool outermost, int32_t error_number, int32_t status,
                     const uint64_t *words, uint32_t word_count, uint32_t reply_bytes)
{
    struct lane_mail *mail = &end->w->mail[end->slot];
    assert(word_count <= LANE_WORDS);
    /* Relaxed: published by the turn. */
    atomic_store_explicit(&mail->tag, (uint32_t)error_number, memory_order_relaxed);
    for (uint32_t i = 0; i < word_count; i++) {
        atomic_store_explicit(&mail->words[i], words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&mail->status_bytes, (uint64_t)(uint32_t)status << 32 | reply_bytes,
                          memory_order_relaxed);
    publish(end, LANE_RETURN);
    if (outermost) {
        end->slot = (end->slot + 1) % LANE_SLOTS;
    }
}

static uint32_t round_up(uint32_t bytes)
{
    return (bytes + LANE_LINE - 1) & ~(LANE_LINE - 1);
}

void lane_end_alarm(struct lane_end *end, int signal, uint32_t flags, uint64_t address)
{
    enum lane_verb last = lane_turn_verb(end->turns[end->slot]);
    if (last == LANE_NOTHING || last == LANE_RETURN || last == LANE_CALLBACK) {
        return; /* not in a call, or the word is the host's */
    }
    struct lane_mail *mail = &end->w->mail[end->slot];
    /* Relaxed: published by the turn. */
    atomic_store_explicit(&mail->tag, 0, memory_order_relaxed);
    atomic_store_explicit(&mail->words[0], (uint64_t)(uint32_t)signal << 32 | flags,
                          memory_order_relaxed);
    atomic_store_explicit(&mail->words[1], address, memory_order_relaxed);
    atomic_store_explicit(&mail->status_bytes, 0, memory_order_relaxed);
    publish(end, LANE_ALARM);
}

uint8_t *lane_end_callback_push(struct lane_end *end, uint32_t bytes)
{
    uint32_t share_at = lane_callback_at(end->w_bytes);
    uint32_t left = end->w_bytes - share_at - end->callback_used;
    if (bytes > left || round_up(bytes) > left) {
        return NULL;
    }
    uint8_t *frame = (uint8_t *)end->w + share_at + end->callback_used;
    end->callback_used += round_up(bytes);
    return frame;
}

void lane_end_callback_pop(struct lane_end *end, uint32_t bytes)
{
    assert(round_up(bytes) <= end->callback_used);
    end->callback_used -= round_up(bytes);
}

void lane_end_callback(struct lane_end *end, uint32_t callback_id, const uint8_t *frame,
                       uint32_t frame_bytes, const uint64_t *words, uint32_t word_count,
                       uint32_t reply_bytes_max)
{
    struct lane_mail *mail = &end->w->mail[end->slot];
    uint32_t frame_at = frame != NULL ? (uint32_t)(frame - (const uint8_t *)end->w) : 0;
    assert(word_count <= LANE_WORDS - 2);
    assert(frame != NULL || frame_bytes == 0);
    /* Relaxed: published by the turn. A frame without bytes has no place. */
    atomic_store_explicit(&mail->tag, callback_id, memory_order_relaxed);
    atomic_store_explicit(&mail->words[0], frame_bytes == 0 ? 0 : lane_place(frame_at, frame_bytes),
                          memory_order_relaxed);
    atomic_store_explicit(&mail->words[1], (uint64_t)word_count << 32 | reply_bytes_max,
                          memory_order_relaxed);
    for (uint32_t i = 0; i < word_count; i++) {
        atomic_store_explicit(&mail->words[2 + i], words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&mail->status_bytes, 0, memory_order_relaxed);
    publish(end, LANE_CALLBACK);
}
