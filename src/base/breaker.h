/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BREAKER_H
#define BASE_BREAKER_H

/*
 * Breaker: counts how calls of something end, and says when asking it further is no use. A state
 * machine and nothing else: it has no clock, no lock, and knows nobody.
 *
 * Life: all zero is closed and empty.
 *
 *             too many failures            cool-down over
 *   CLOSED ----------------------> OPEN ------------------> HALF_OPEN
 *      ^                            ^      any failure          |
 *      |                            +---------------------------+
 *      +--------------------------------------------------------+   all probes succeeded
 *
 * Threads: the caller locks. Times are nanoseconds of one clock that does not go backwards.
 */

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_SLICES 10u /* of the window: it slides by a tenth */

enum breaker_state {
    BREAKER_CLOSED = 0, /* calls pass and are counted */
    BREAKER_OPEN,       /* calls are refused until the cool-down is over */
    BREAKER_HALF_OPEN,  /* a few calls pass as probes */
    BREAKER_STATE_COUNT,
};

enum breaker_event {
    BREAKER_ASKED,     /* may a call pass? */
    BREAKER_SUCCEEDED, /* a call that passed ended well */
    BREAKER_FAILED,    /* ... badly */
    BREAKER_VOID,      /* ... and says nothing: it was refused before it reached anybody */
    BREAKER_EVENT_COUNT,
};

struct breaker_options {
    uint32_t percent; /* opens when at least so many of a hundred calls failed ... */
    uint32_t samples; /* ... of at least so many */
    uint64_t window_ns;
    uint64_t cool_down_ns;
    uint32_t probes; /* successes in a row that close it again */
};

struct breaker_slice {
    uint64_t number; /* which stretch of time it counts */
    uint32_t succeeded;
    uint32_t failed;
};

struct breaker {
    enum breaker_state state;
    struct breaker_slice slices[BREAKER_SLICES];
    uint64_t open_until_ns;
    uint64_t probe_until_ns; /* when the probes that are out count as lost */
    uint32_t probes_out;
    uint32_t probes_good;
    uint64_t opened; /* how often */
};

enum breaker_verdict {
    BREAKER_PASS = 0,
    BREAKER_PROBE = 1,  /* passes, and what it comes to must be told */
    BREAKER_REFUSE = 2, /* ret_wait_ns: when asking again may help */
};

/* May a call pass at @now_ns? Returns an enum breaker_verdict. */
int breaker_ask(struct breaker *breaker, const struct breaker_options *options, uint64_t now_ns,
                uint64_t *ret_wait_ns);

/*
 * A call that passed has ended.
 * @event  BREAKER_SUCCEEDED, BREAKER_FAILED or BREAKER_VOID.
 * @probe  what breaker_ask() said of it: calls that had passed before a breaker opened change nothing
 *         afterwards.
 */
void breaker_tell(struct breaker *breaker, const struct breaker_options *options, uint64_t now_ns,
                  enum breaker_event event, bool probe);

/* Closed, and no failure within the window: calls need not be counted until the next one fails. */
bool breaker_is_quiet(const struct breaker *breaker, const struct breaker_options *options,
                      uint64_t now_ns);

/* "closed", "open", "half-open". */
const char *breaker_state_name(enum breaker_state state);

#endif
