/* SPDX-License-Identifier: Apache-2.0 */
#include "base/breaker.h"

#include <assert.h>
#include <string.h>

/* An event with all that a step needs. */
struct step {
    struct breaker *breaker;
    const struct breaker_options *options;
    uint64_t now_ns;
    bool probe;
    int verdict;      /* ASKED */
    uint64_t wait_ns; /* ASKED, REFUSE */
};

/* ---- The window -------------------------------------------------------------------------------- */

static uint64_t slice_ns(const struct breaker_options *options)
{
    uint64_t ns = options->window_ns / BREAKER_SLICES;
    return ns > 0 ? ns : 1;
}

static struct breaker_slice *slice_at(struct step *step)
{
    uint64_t number = 1 + step->now_ns / slice_ns(step->options);
    struct breaker_slice *slice = &step->breaker->slices[number % BREAKER_SLICES];
    if (slice->number != number) {
        *slice = (struct breaker_slice){.number = number};
    }
    return slice;
}

static void count_window(const struct breaker *breaker, const struct breaker_options *options,
                         uint64_t now_ns, uint64_t *ret_succeeded, uint64_t *ret_failed)
{
    uint64_t number = 1 + now_ns / slice_ns(options);
    *ret_succeeded = *ret_failed = 0;
    for (uint32_t i = 0; i < BREAKER_SLICES; i++) {
        const struct breaker_slice *slice = &breaker->slices[i];
        if (slice->number != 0 && number - slice->number < BREAKER_SLICES) {
            *ret_succeeded += slice->succeeded;
            *ret_failed += slice->failed;
        }
    }
}

static bool too_many(const struct step *step)
{
    uint64_t succeeded;
    uint64_t failed;
    count_window(step->breaker, step->options, step->now_ns, &succeeded, &failed);
    return succeeded + failed >= step->options->samples &&
           failed * 100 >= (succeeded + failed) * step->options->percent;
}

/* ---- Steps ------------------------------------------------------------------------------------- */

static void open_it(struct step *step)
{
    struct breaker *breaker = step->breaker;
    breaker->state = BREAKER_OPEN;
    breaker->open_until_ns = step->now_ns + step->options->cool_down_ns;
    breaker->probes_out = breaker->probes_good = 0;
    breaker->opened++;
}

static void close_it(struct step *step)
{
    struct breaker *breaker = step->breaker;
    breaker->state = BREAKER_CLOSED;
    breaker->probes_out = breaker->probes_good = 0;
    memset(breaker->slices, 0, sizeof breaker->slices);
}

static void pass(struct step *step)
{
    step->verdict = BREAKER_PASS;
}

static void count_success(struct step *step)
{
    slice_at(step)->succeeded++;
}

static void count_failure(struct step *step)
{
    slice_at(step)->failed++;
    if (too_many(step)) {
        open_it(step);
    }
}

static void probe(struct step *step)
{
    struct breaker *breaker = step->breaker;
    if (breaker->probes_out > 0 && step->now_ns >= breaker->probe_until_ns) {
        breaker->probes_out = 0; /* whoever made them never said what became of them */
    }
    if (breaker->probes_out + breaker->probes_good >= step->options->probes) {
        step->verdict = BREAKER_REFUSE;
        step->wait_ns = breaker->probe_until_ns - step->now_ns;
        return;
    }
    breaker->probes_out++;
    breaker->probe_until_ns = step->now_ns + step->options->cool_down_ns;
    step->verdict = BREAKER_PROBE;
}

static void refuse(struct step *step)
{
    struct breaker *breaker = step->breaker;
    if (step->now_ns >= breaker->open_until_ns) {
        breaker->state = BREAKER_HALF_OPEN;
        probe(step);
        return;
    }
    step->verdict = BREAKER_REFUSE;
    step->wait_ns = breaker->open_until_ns - step->now_ns;
}

static void take_back(struct step *step)
{
    if (step->probe && step->breaker->probes_out > 0) {
        step->breaker->probes_out--;
    }
}

static void probe_succeeded(struct step *step)
{
    if (!step->probe) {
        return;
    }
    take_back(step);
    if (++step->breaker->probes_good >= step->options->probes) {
        close_it(step);
    }
}

static void probe_failed(struct step *step)
{
    if (step->probe) {
        open_it(step);
    }
}

/* A call of before, or a probe of an earlier half-open time. */
static void nothing(struct step *step)
{
    (void)step;
}

typedef void (*step_fn)(struct step *step);

static const step_fn steps[BREAKER_STATE_COUNT][BREAKER_EVENT_COUNT] = {
    [BREAKER_CLOSED][BREAKER_ASKED] = pass,
    [BREAKER_CLOSED][BREAKER_SUCCEEDED] = count_success,
    [BREAKER_CLOSED][BREAKER_FAILED] = count_failure,
    [BREAKER_CLOSED][BREAKER_VOID] = nothing,

    [BREAKER_OPEN][BREAKER_ASKED] = refuse,
    [BREAKER_OPEN][BREAKER_SUCCEEDED] = nothing,
    [BREAKER_OPEN][BREAKER_FAILED] = nothing,
    [BREAKER_OPEN][BREAKER_VOID] = nothing,

    [BREAKER_HALF_OPEN][BREAKER_ASKED] = probe,
    [BREAKER_HALF_OPEN][BREAKER_SUCCEEDED] = probe_succeeded,
    [BREAKER_HALF_OPEN][BREAKER_FAILED] = probe_failed,
    [BREAKER_HALF_OPEN][BREAKER_VOID] = take_back,
};

int breaker_ask(struct breaker *breaker, const struct breaker_options *options, uint64_t now_ns,
                uint64_t *ret_wait_ns)
{
    struct step step = {.breaker = breaker, .options = options, .now_ns = now_ns};
    steps[breaker->state][BREAKER_ASKED](&step);
    *ret_wait_ns = step.wait_ns;
    return step.verdict;
}

void breaker_tell(struct breaker *breaker, const struct breaker_options *options, uint64_t now_ns,
                  enum breaker_event event, bool probe)
{
    assert(event > BREAKER_ASKED && event < BREAKER_EVENT_COUNT);
    struct step step = {.breaker = breaker, .options = options, .now_ns = now_ns, .probe = probe};
    steps[breaker->state][event](&step);
}

bool breaker_is_quiet(const struct breaker *breaker, const struct breaker_options *options,
                      uint64_t now_ns)
{
    uint64_t succeeded;
    uint64_t failed;
    count_window(breaker, options, now_ns, &succeeded, &failed);
    return breaker->state == BREAKER_CLOSED && failed == 0;
}

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[BREAKER_STATE_COUNT] = {
        [BREAKER_CLOSED] = "closed",
        [BREAKER_OPEN] = "open",
        [BREAKER_HALF_OPEN] = "half-open",
    };
    return state < BREAKER_STATE_COUNT ? names[state] : "unknown";
}
