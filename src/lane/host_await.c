/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/host.h"

/*
 * How it works. A call ends by the worker's answer or by the verdict, and lane_look() is where that is
 * decided, once: the slot's state is private and final.
 *
 *   turn   has the worker written?  If so, its words are copied.
 *   verdict  none stands: the answer, which came before any verdict, has won. One that is given after
 *          this load comes too late for this call, whoever gives it.
 *   turn   a verdict stands: look once more. Who gave it may have seen answers that came after the first
 *          look, and counted these calls as done; seeing the verdict (acquire) we see them too. An answer
 *          is valid if the verdict blames a later call; everything else has been ended by the verdict.
 *
 * Words are read once, into the event; the event is judged, and only then given out.
 */

#include "base/clock.h"
#include "base/cpu.h"
#include "base/futex.h"
#include "base/probe.h"
#include "lane/host_private.h"
#include "lane/verdict.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

/* How long a verdict may stay without its blame: its giver was killed between two stores. */
#define FINAL_WAIT_NS 50000000ull

/* How long who wants to send a call again waits for the worker's end: the keeper looks at it first. */
#define GONE_WAIT_NS (200 * CLOCK_MS_NS)

#define LOOK_NOTHING 0

static void copy_event(const struct lane_mail *mail, uint32_t turn, struct lane_event *event)
{
    /* Relaxed: the acquire of the turn came before; a worker that writes on only spoils its own answer. */
    event->verb = lane_turn_verb(turn);
    event->tag = atomic_load_explicit(&mail->tag, memory_order_relaxed);
    CPU_UNROLL
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        event->words[i] = atomic_load_explicit(&mail->words[i], memory_order_relaxed);
    }
    uint64_t status_bytes = atomic_load_explicit(&mail->status_bytes, memory_order_relaxed);
    event->status = (int32_t)(status_bytes >> 32);
    event->reply_bytes = (uint32_t)status_bytes;
}

static bool step_is_next(const struct lane_slot *slot, uint32_t turn)
{
    return lane_turn_step(turn) == lane_step_next(lane_turn_step(slot->turn));
}

static bool callback_is_sound(const struct lane *lane, const struct lane_slot *slot,
                              const struct lane_event *event)
{
    uint32_t at = (uint32_t)event->words[0];
    uint32_t bytes = (uint32_t)(event->words[0] >> 32);
    uint32_t word_count = (uint32_t)(event->words[1] >> 32);
    uint32_t reply_bytes = (uint32_t)event->words[1];
    bool placed = bytes == 0 ? at == 0
                             : at >= lane_callback_at(lane->w_bytes) && at < lane->w_bytes &&
                                   bytes <= lane->w_bytes - at;
    return placed && word_count <= LANE_WORDS - 2 && reply_bytes <= lane->h_bytes &&
           slot->depth < LIMIT_DEPTH;
}

static bool event_is_sound(const struct lane *lane, const struct lane_slot *slot, uint32_t turn,
                           const struct lane_event *event)
{
    if (!step_is_next(slot, turn)) {
        return false;
    }
    switch (event->verb) {
    case LANE_RETURN:
        return event->reply_bytes <= slot->reply_max;
    case LANE_CALLBACK:
        return callback_is_sound(lane, slot, event);
    case LANE_ALARM:
        return true; /* what it says is judged by who reads it */
    default:
        return false;
    }
}

/* The event is good: the host has the word now. */
static int accept(struct lane *lane, uint32_t seq, uint32_t turn, const struct lane_event *event)
{
    uint32_t index = lane_slot_of(seq);
    struct lane_slot *slot = &lane->slots[index];
    slot->turn = turn;
    lane->waited = 0; /* for what comes next it may spin again */
    if (event->verb == LANE_CALLBACK) {
        lane->outer_reply_max[index][slot->depth++] = slot->reply_max;
        slot->state = LANE_SLOT_HELD;
        lane_timing_of(lane, index)->expectation.trust =
            0; /* there is more to it than one answer */
    } else {
        bool over = event->verb == LANE_RETURN && slot->depth == 0;
        slot->state = over ? LANE_SLOT_ANSWERED : LANE_SLOT_HELD;
    }
    PROBE1(reply, seq);
    return LANE_CAME;
}

/* Only a verdict whose giver has written whom it blames can spare anyone. */
static bool await_final(const struct lane *lane)
{
    uint64_t until_ns = clock_after_ns(FINAL_WAIT_NS);
    const _Atomic uint32_t *final = &lane->h->verdict_final;
    while (atomic_load_explicit(final, memory_order_acquire) == 0) {
        if (futex_wait(final, 0, until_ns) == -ETIMEDOUT) {
            return false;
        }
    }
    return true;
}

static bool spared(const struct lane *lane, uint32_t seq)
{
    /* Relaxed: verdict_final was acquired. */
    return await_final(lane) &&
           lane_verdict_spares(lane_load_verdict(lane),
                               atomic_load_explicit(&lane->h->verdict_seq, memory_order_relaxed),
                               seq);
}

static int look_under_verdict(struct lane *lane, uint32_t seq, struct lane_event *ret_event)
{
    uint32_t index = lane_slot_of(seq);
    struct lane_slot *slot = &lane->slots[index];
    uint32_t turn = lane_load_turn(lane, index);
    if (turn != slot->turn && slot->depth == 0) {
        struct lane_event event;
        copy_event(&lane->w->mail[index], turn, &event);
        if (event.verb == LANE_RETURN && event_is_sound(lane, slot, turn, &event) &&
            spared(lane, seq)) {
            *ret_event = event;
            return accept(lane, seq, turn, ret_event);
        }
    }
    slot->state = LANE_SLOT_ENDED;
    return LANE_VERDICT;
}

/* Once: LOOK_NOTHING, LANE_CAME, LANE_VERDICT, -EBADMSG. */
static int lane_look(struct lane *lane, uint32_t seq, struct lane_event *ret_event)
{
    uint32_t index = lane_slot_of(seq);
    struct lane_slot *slot = &lane->slots[index];
    uint32_t turn = lane_load_turn(lane, index);
    if (turn == slot->turn) {
        return lane_load_verdict(lane) == LANE_ALIVE ? LOOK_NOTHING
                                                     : look_under_verdict(lane, seq, ret_event);
    }
    /* Straight into the caller's event, which is private: a second copy cost 2-3 ns of each call. */
    copy_event(&lane->w->mail[index], turn, ret_event);
    if (lane_load_verdict(lane) != LANE_ALIVE) {
        return look_under_verdict(lane, seq, ret_event);
    }
    if (!event_is_sound(lane, slot, turn, ret_event)) {
        slot->state = LANE_SLOT_ENDED;
        return lane_condemn(lane, LANE_LIED, seq) ? -EBADMSG : LANE_VERDICT;
    }
    return accept(lane, seq, turn, ret_event);
}

/* @first  on the turn alone: lane/wait.h. */
static void park_on_futex(struct lane *lane, uint32_t index, bool first, uint64_t until_ns)
{
    struct lane_host_page *h = lane->h;
    const struct lane_mail *mail = &lane->w->mail[index];
    uint32_t seen = lane->slots[index].turn;
    /* Dekker, with the worker's ring(): here host_parked, fence, turn; there turn, fence, host_parked. */
    atomic_store_explicit(&h->host_parked, index + 1, memory_order_relaxed);
    cpu_fence();
    if (atomic_load_explicit(&mail->turn, memory_order_relaxed) == seen &&
        !lane_changed(&h->verdict, LANE_ALIVE)) {
        lane->counts.parks++;
        int r = first ? futex_wait(&mail->turn, seen, until_ns)
                      : futex_wait_two(&mail->turn, seen, &h->verdict, LANE_ALIVE, until_ns);
        if (r == -ETIMEDOUT && atomic_load_explicit(&mail->turn, memory_order_relaxed) != seen) {
            lane->counts.park_timeouts++;
        }
    }
    /* Relaxed: a worker that sees it late makes one wake-up for nobody. */
    atomic_store_explicit(&h->host_parked, 0, memory_order_relaxed);
}

bool lane_set_ringing(struct lane *lane, bool on)
{
    if (lane->wake != LANE_WAKE_EVENTFD) {
        return false;
    }
    uint32_t oldest = lane->collected + 1;
    lane->is_quiet = !on;
    atomic_store_explicit(&lane->h->host_parked, on ? LANE_PARKED_ANY : 0, memory_order_relaxed);
    if (!on || !lane_in_flight(lane, oldest)) {
        return false;
    }
    /* Dekker, with the worker's ring(), as in park_on_futex(). */
    cpu_fence();
    uint32_t index = lane_slot_of(oldest);
    return lane->slots[index].state != LANE_SLOT_SENT ||
           lane_load_turn(lane, index) != lane->slots[index].turn;
}

static void park_on_event(struct lane *lane, uint64_t now_ns, uint64_t until_ns)
{
    struct timespec slice = clock_timespec(until_ns - now_ns);
    struct pollfd readable[] = {{.fd = lane->event_fd, .events = POLLIN},
                                {.fd = lane->bell_fd, .events = POLLIN},
                                {.fd = lane->alarm_fd, .events = POLLIN}};
    bool was_quiet = lane->is_quiet;
    if (!was_quiet || !lane_set_ringing(lane, true)) {
        lane->counts.parks++;
        if (ppoll(readable, 3, &slice, NULL) > 0) {
            lane_drain_event(lane);
        }
    }
    if (was_quiet) { /* or each answer from now on would cost the worker a system call */
        (void)lane_set_ringing(lane, false);
    }
}

static void park(struct lane *lane, uint32_t index, bool first, uint64_t now_ns, uint64_t until_ns)
{
    uint64_t slice_ns = now_ns + (first ? LANE_PARK_FIRST_NS : LANE_PARK_SLICE_NS);
    uint64_t end_ns = until_ns < slice_ns ? until_ns : slice_ns;
    if (lane->wake == LANE_WAKE_EVENTFD) {
        park_on_event(lane, now_ns, end_ns);
    } else {
        park_on_futex(lane, index, first, end_ns);
    }
    lane_parked(now_ns, LANE_SPIN_HOST_NS, &lane->purse);
}

/*
 * Who waits for this call has drained the event descriptors; callbacks of the library's threads may have rung
 * it, and whoever polls it next shall see them.
 */
static void ring_for_queued(const struct lane *lane)
{
    /* Relaxed: counted before the ring that was read (lane_end_queued()). */
    if (lane->wake == LANE_WAKE_EVENTFD &&
        atomic_load_explicit(&lane->w->queued, memory_order_relaxed) != 0) {
        lane_ring_event(lane->bell_fd);
    }
}

/* What the wait for call @seq has taught, if it was for the call's own answer. */
static void learn(struct lane *lane, uint32_t seq, bool woken)
{
    uint32_t index = lane_slot_of(seq);
    if (lane->slots[index].state == LANE_SLOT_ANSWERED) {
        lane_expect_learn(&lane_timing_of(lane, index)->expectation,
                          clock_now_ns() - lane->waited_since_ns, woken);
    }
}

/* The answer is due within @ns: look for it. */
static int spin_expecting(struct lane *lane, uint32_t seq, uint64_t ns,
                          struct lane_event *ret_event)
{
    uint32_t index = lane_slot_of(seq);
    if (!lane_may_spin(lane)) {
        return LOOK_NOTHING;
    }
    lane_spin_long(&lane->w->mail[index].turn, lane->slots[index].turn, &lane->h->verdict,
                   (uint32_t)ns, &lane->purse, &lane->counts);
    if (lane->purse == 0) {
        lane_timing_of(lane, index)->expectation.trust = 0; /* others need the CPU */
    }
    return lane_look(lane, seq, ret_event);
}

static int wait_parked(struct lane *lane, uint32_t seq, uint64_t until_ns,
                       int (*check)(void *context), void *context, struct lane_event *ret_event)
{
    uint32_t index = lane_slot_of(seq);
    uint64_t from_ns;
    uint64_t to_ns;
    bool expects = lane_expect(&lane_timing_of(lane, index)->expectation, lane->waited_since_ns,
                               &from_ns, &to_ns);
    lane_ring(lane); /* or it would wait for what nobody was told of */
    bool rough =
        !expects && lane->wake == LANE_WAKE_FUTEX && lane_is_rich(lane->purse, LANE_SPIN_HOST_NS);
    for (bool first = true;; first = false) {
        /* An earlier time only makes the slice shorter, and one more round finds that it has passed. */
        uint64_t now_ns = first && rough ? clock_tick_ns() : clock_now_ns();
        bool due = expects && now_ns >= from_ns;
        int r = LOOK_NOTHING;
        if (now_ns >= until_ns) {
            ring_for_queued(lane);
            return LANE_EXPIRED;
        }
        if (due) {
            expects = false;
            to_ns = to_ns < until_ns ? to_ns : until_ns;
            r = now_ns < to_ns ? spin_expecting(lane, seq, to_ns - now_ns, ret_event) : r;
        } else {
            park(lane, index, first, now_ns, expects && from_ns < until_ns ? from_ns : until_ns);
            r = lane_look(lane, seq, ret_event);
        }
        if (r == LOOK_NOTHING && check != NULL) {
            r = check(context);
        }
        if (r != LOOK_NOTHING) {
            learn(lane, seq, !due);
            ring_for_queued(lane);
            return r;
        }
    }
}

/* Spin for the answer of a call of which nothing is known, or that it comes soon: once. */
static int wait_spinning(struct lane *lane, uint32_t seq, struct lane_event *ret_event)
{
    uint32_t index = lane_slot_of(seq);
    struct lane_expectation *expectation = &lane_timing_of(lane, index)->expectation;
    bool late = expectation->trust >= LANE_EXPECT_TRUST;
    bool spins = !late && (lane->nudged || lane_may_spin(lane));
    uint32_t spin_max_ns = lane->nudged ? LANE_SPIN_WORKER_NS : LANE_SPIN_HOST_NS;
    int r = LOOK_NOTHING;
    lane->nudged = false;
    if (spins) {
        lane_spin(&lane->w->mail[index].turn, lane->slots[index].turn, &lane->h->verdict,
                  spin_max_ns, &lane->purse, &lane->counts);
        r = lane_look(lane, seq, ret_event);
    }
    if (r != LOOK_NOTHING) {
        expectation->trust = 0;
        return r;
    }
    lane->waited = seq;
    lane->waited_since_ns = clock_now_ns() - (late ? 0 : LANE_SPIN_HOST_NS);
    return LOOK_NOTHING;
}

int lane_await(struct lane *lane, uint32_t seq, uint64_t until_ns, int (*check)(void *context),
               void *context, struct lane_event *ret_event)
{
    assert(lane_in_flight(lane, seq));
    uint32_t index = lane_slot_of(seq);
    struct lane_slot *slot = &lane->slots[index];
    if (slot->state == LANE_SLOT_ENDED) {
        return LANE_VERDICT;
    }
    assert(slot->state == LANE_SLOT_SENT ||
           (slot->state == LANE_SLOT_HELD && lane_load_verdict(lane) != LANE_ALIVE));
    if (seq != lane->submitted) {
        /* A batch is collected: 5 of 90 ns a call near, 13 of 190 far. Six ahead: the same. */
        cpu_fetch(&lane->w->mail[lane_slot_of(seq + 3)]);
    }
    int r = lane_look(lane, seq, ret_event);
    if (r != LOOK_NOTHING) {
        return r;
    }
    if (until_ns == 0) {
        return LANE_EXPIRED;
    }
    if (lane->waited != seq) {
        r = wait_spinning(lane, seq, ret_event);
        if (r != LOOK_NOTHING) {
            return r;
        }
    }
    return wait_parked(lane, seq, until_ns, check, context, ret_event);
}

enum lane_verdict lane_verdict(const struct lane *lane, uint32_t *ret_seq,
                               struct lane_death *ret_death)
{
    const struct lane_host_page *h = lane->h;
    enum lane_verdict verdict = lane_load_verdict(lane);
    if (verdict == LANE_ALIVE) {
        return verdict;
    }
    uint32_t final =
        await_final(lane) ? atomic_load_explicit(&h->verdict_final, memory_order_acquire) : 0;
    bool gone = atomic_load_explicit(&h->gone, memory_order_acquire) != 0;
    if (ret_seq != NULL) {
        /* Relaxed: verdict_final was acquired; 0 if its giver died. */
        *ret_seq = atomic_load_explicit(&h->verdict_seq, memory_order_relaxed);
    }
    if (ret_death != NULL) {
        memset(ret_death, 0, sizeof *ret_death);
        if (gone || (final & LANE_FINAL_DEATH) != 0) {
            *ret_death = h->death;
            ret_death->text[sizeof ret_death->text - 1] = '\0';
        }
    }
    return verdict;
}

/* Where a verdict came before the end, as in a crash, the worker may be about to begin. */
static bool is_gone(const struct lane *lane)
{
    return lane_await_gone(lane, clock_after_ns(GONE_WAIT_NS));
}

bool lane_unbegun(const struct lane *lane, uint32_t seq)
{
    const _Atomic uint32_t *state = &lane->w->worker_state;
    uint32_t index = lane_slot_of(seq);
    const struct lane_slot *slot = &lane->slots[index];
    /* Relaxed: H is our own; W is looked at again behind the acquire of `gone`: nobody writes it then. */
    uint32_t step = atomic_load_explicit(&lane->h->record[index].step, memory_order_relaxed);
    enum lane_verdict verdict = lane_load_verdict(lane);
    return (verdict == LANE_DIED || verdict == LANE_RECALLED) && slot->depth == 0 &&
           lane_turn_step(slot->turn) == step && lane_load_turn(lane, index) == slot->turn &&
           atomic_load_explicit(state, memory_order_relaxed) == LANE_WORKER_PARKED &&
           is_gone(lane) && lane_load_turn(lane, index) == slot->turn &&
           atomic_load_explicit(state, memory_order_relaxed) == LANE_WORKER_PARKED;
}

bool lane_await_gone(const struct lane *lane, uint64_t until_ns)
{
    const _Atomic uint32_t *gone = &lane->h->gone;
    /* Pairs with the release in lane_ward_gone(): death before gone. */
    while (atomic_load_explicit(gone, memory_order_acquire) == 0) {
        if (futex_wait(gone, 0, until_ns) == -ETIMEDOUT) {
            return atomic_load_explicit(gone, memory_order_acquire) != 0;
        }
    }
    return true;
}
