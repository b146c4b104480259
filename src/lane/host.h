/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_HOST_H
#define LANE_HOST_H

/*
 * The host's side of a lane: submit calls, wait for what comes back, decide how calls end.
 *
 * Life: open (memories made, sealed, mapped), use, verdict (once), close. Everything that the worker
 * can write is read once into a lane_event and judged before it is returned.
 *
 * Threads: one at a time per lane; the caller locks. lane_condemn() may be called by any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lane/layout.h"
#include "lane/wait.h"

struct lane;

struct lane_options {
    uint32_t h_bytes; /* 0: default; multiples of the page size */
    uint32_t w_bytes;
    enum lane_wake wake; /* of the host's side */
    bool private_memory; /* level thread: anonymous memory of this process, no fds */
};

int lane_open(const struct lane_options *options, struct lane **ret_lane);

/*
 * A lane that somebody else in this process has opened, for who shall serve it by a thread: its memories, mapped once
 * more, and its event. Only lane_peek_...(), lane_condemn() and lane_close() are for it.
 *
 * @bell_fd   rung for each verdict; borrowed, as the others are: duplicates are the lane's own.
 * @event_fd  -1: its host sleeps on futexes.
 *
 * Returns 0, -EBADMSG (no lane), or what mapping met.
 */
int lane_open_again(int h_fd, int w_fd, int event_fd, int bell_fd, struct lane **ret_lane);

/* What its memories take. */
void lane_peek_sizes(const struct lane *lane, uint32_t *ret_h_bytes, uint32_t *ret_w_bytes);

/* Unmap and close. NULL is fine. Memory that a worker may still write is only unmapped here: never reused. */
void lane_close(struct lane *lane);

/* Borrowed fds for the worker's start; -1 with private memory. The keeper seals H. */
int lane_peek_h_fd(const struct lane *lane);
int lane_peek_w_fd(const struct lane *lane);
/*
 * EVENTFD wake only: readable when something came back. Borrowed; never blocks; -1 otherwise.
 * A lane_await() that waits drains it as well: look with lane_any() before sleeping on it again.
 */
int lane_peek_event_fd(const struct lane *lane);
/* The same for what the host and its keeper ring: a verdict, queued callbacks. No worker may have it. */
int lane_peek_bell_fd(const struct lane *lane);
/*
 * EVENTFD wake only: a descriptor that is readable when a lane_await() shall look again, and call its check, which
 * makes it not so; -1: none. Borrowed.
 */
void lane_set_alarm_fd(struct lane *lane, int fd);
/*
 * EVENTFD wake only: whether answers ring; at first they do. A host that is awake and looks by itself
 * wants none: each costs the worker a system call, and the host one. Before it sleeps it turns them on.
 * Returns true if, with @on, the oldest call has an answer that may not have rung.
 */
bool lane_set_ringing(struct lane *lane, bool on);
/* Drain both eventfds without ever blocking, whatever the worker did to the flags of its own. */
void lane_drain_event(struct lane *lane);

/* The memories as the worker's side wants them at level thread. */
void *lane_peek_h(const struct lane *lane);
void *lane_peek_w(const struct lane *lane);

/* Places for one call's bytes. Offsets count from the memories' starts, aligned to 64. */
struct lane_room {
    uint32_t h_at;
    uint32_t h_bytes;
    uint32_t w_at;
    uint32_t w_bytes;
};

/*
 * Reserve up to @h_bytes in H and @w_bytes in W for a call that is about to be submitted (or for the
 * answer of a callback). Rooms are given back in any order by lane_room_free(); with nothing in flight
 * the same pages are used again. lane_room_shrink() gives back what the last reservation did not need.
 *
 * LANE_ROOM_ALL: the largest stretch there is.
 *
 * Returns 0; -EAGAIN when rooms in flight leave too little; -E2BIG when it can never fit.
 */
#define LANE_ROOM_ALL UINT32_MAX
int lane_room_new(struct lane *lane, uint32_t h_bytes, uint32_t w_bytes,
                  struct lane_room *ret_room);
void lane_room_shrink(struct lane *lane, struct lane_room *room, uint32_t h_bytes,
                      uint32_t w_bytes);
void lane_room_free(struct lane *lane, const struct lane_room *room);
uint8_t *lane_room_h(const struct lane *lane, const struct lane_room *room);
const volatile uint8_t *lane_room_w(const struct lane *lane, const struct lane_room *room);

/* A message that the host sends. */
struct lane_message {
    enum lane_verb verb; /* CALL, CALL_BYTES, CALL_SHORT, CALLBACK_RETURN */
    uint32_t tag;
    uint64_t words[LANE_WORDS]; /* all are sent: what it has not is 0 */
    uint64_t status_bytes;
};

/*
 * Start a call: takes the next slot, records it in H, publishes it.
 *
 * @deadline_ns  recorded for the keeper.
 * @ring  wake a parked worker now; false: lane_ring() comes later (batches), or a lane_await() that sleeps.
 *
 * Returns 0 and the call's sequence number; -EAGAIN with LANE_SLOTS calls in flight; -EPIPE after a verdict.
 */
int lane_submit(struct lane *lane, const struct lane_message *message, uint64_t deadline_ns,
                bool ring, uint32_t *ret_seq);

/* Continue the conversation of call @seq: an answer to its callback, or a call from inside it. */
int lane_continue(struct lane *lane, uint32_t seq, const struct lane_message *message);

void lane_ring(struct lane *lane);

/* What came back; private copies. */
struct lane_event {
    enum lane_verb verb; /* RETURN or CALLBACK */
    uint32_t tag;
    int32_t status;
    uint32_t reply_bytes;
    uint64_t words[LANE_WORDS];
};

enum lane_wait {
    LANE_CAME = 1,    /* ret_event is written */
    LANE_VERDICT = 2, /* the lane has ended: lane_verdict() */
    LANE_EXPIRED = 3, /* until_ns has passed */
};

/*
 * Wait for call @seq's next message. Spins while that can help, then parks (futex on mail and verdict,
 * or poll on the eventfd); parks in slices of at most LANE_PARK_SLICE_NS and calls @check between
 * them: a non-zero result of it ends the wait as that result.
 * @until_ns 0: look once. An answer published before the verdict wins over a verdict for a later call.
 *
 * @ret_event  undefined unless LANE_CAME: what came is judged where it is copied to.
 *
 * Returns an enum lane_wait, -EBADMSG if the worker broke the protocol (verdict LANE_LIED is given).
 */
#define LANE_PARK_SLICE_NS 100000000ull
#define LANE_SPIN          1u /* an @until_ns that has passed: spin while that can help, never park */
int lane_await(struct lane *lane, uint32_t seq, uint64_t until_ns, int (*check)(void *context),
               void *context, struct lane_event *ret_event);

/*
 * A call and its answer in one, where nothing else is in flight: as lane_submit() that rings, and a lane_await() that
 * takes a plain answer if it comes within about a microsecond, and leaves all else to the next one.
 *
 * @ret_event  of its words the first alone is written.
 *
 * Returns LANE_CAME; LANE_EXPIRED: the call is in flight; -EBUSY, or what lane_submit() met: nothing was sent.
 * Bought: with patience (lane/patience.h), bytes inside the mail and no clock, seen from Python: 223 to 183 ns a call of
 * words, 372 to 240 of 16 bytes.
 */
int lane_exchange(struct lane *lane, const struct lane_message *message, uint64_t deadline_ns,
                  struct lane_event *ret_event, uint32_t *ret_seq);

/*
 * Record another deadline for call @seq, which is in flight. Who finds it out only when the answer does not come at once
 * reads no clock for all others. For the keeper to see it: lane_needs_watch().
 */
void lane_set_deadline(struct lane *lane, uint32_t seq, uint64_t deadline_ns);

/*
 * Oldest call in flight for which lane_await() has something: 0 and its number, or -EAGAIN. For "as they
 * finish". After a verdict that is every call in flight.
 */
int lane_any(struct lane *lane, uint32_t *ret_seq);

/* Forget call @seq: answered, or ended by the verdict. */
void lane_collect(struct lane *lane, uint32_t seq);

/*
 * Give the verdict, if none was given. Wakes all waiters.
 * Returns true if this verdict won.
 */
bool lane_condemn(struct lane *lane, enum lane_verdict verdict, uint32_t seq);

/* The same with LANE_DIED and @death, on the worker's own word: an event with LANE_ALARM. */
bool lane_condemn_crashed(struct lane *lane, uint32_t seq, const struct lane_death *death);

/*
 * Wake a parked worker that is about to be sent a call, so that it looks for it a while: sending wakes it from
 * a deeper sleep, while the caller waits.
 */
void lane_nudge(struct lane *lane);

/* The verdict (LANE_ALIVE: none), the blamed call and how the worker died (copied). */
enum lane_verdict lane_verdict(const struct lane *lane, uint32_t *ret_seq,
                               struct lane_death *ret_death);

/*
 * True if a worker that died, and is gone, had not begun call @seq, which was sent: the call's own message is
 * the last of its slot, and the worker was parked. Both are the worker's word: who lies here is asked the same
 * once more, by another worker. Waits for the worker's end where a verdict came before it, briefly.
 */
bool lane_unbegun(const struct lane *lane, uint32_t seq);

/* True once the keeper says that worker and children are gone. Waits until @until_ns. */
bool lane_await_gone(const struct lane *lane, uint64_t until_ns);

/* How the host's waits on this lane went. */
struct lane_counts lane_peek_counts(const struct lane *lane);

/* True if the keeper must be told that call with this deadline is unattended (it looks later or not at all). */
bool lane_needs_watch(const struct lane *lane, uint64_t deadline_ns);

/*
 * True if the keeper looks before @deadline_ns anyway, as far as this side has heard: it may just have looked, and not seen a
 * call that was submitted in that moment. lane_needs_watch() has to follow, but not for each call.
 */
bool lane_seems_watched(const struct lane *lane, uint64_t deadline_ns);

#endif
