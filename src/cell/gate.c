/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/gate.h"

#include <stdlib.h>

#include "base/clock.h"
#include "cell/cell.h"
#include "cell/session.h"
#include "cordon/outcome.h"

_Static_assert((int)CORDON_BREAKER_CLOSED == (int)BREAKER_CLOSED &&
                   (int)CORDON_BREAKER_OPEN == (int)BREAKER_OPEN &&
                   (int)CORDON_BREAKER_HALF_OPEN == (int)BREAKER_HALF_OPEN,
               "a breaker's states are told as they are");

struct gate_function {
    struct gate_function *next;
    const struct cordon_function *function;
    struct breaker breaker;
};

static struct breaker_options breaker_options(const struct cordon_cell_options *options,
                                              uint32_t percent)
{
    return (struct breaker_options){
        .percent = percent,
        .samples = percent == CORDON_NONE ? 0 : options->breaker_samples,
        .window_ns = options->breaker_window_ms * CLOCK_MS_NS,
        .cool_down_ns = options->breaker_cool_down_ms * CLOCK_MS_NS,
        .probes = options->breaker_probes,
    };
}

void gate_init(struct gate *gate, const struct cordon_cell_options *options)
{
    (void)pthread_mutex_init(&gate->lock, NULL);
    gate->cell_options = breaker_options(options, options->breaker_percent);
    gate->function_options = breaker_options(options, options->function_breaker_percent);
}

void gate_deinit(struct gate *gate)
{
    while (gate->functions) {
        struct gate_function *next = gate->functions->next;
        free(gate->functions);
        gate->functions = next;
    }
    (void)pthread_mutex_destroy(&gate->lock);
}

void gate_turn(struct gate *gate)
{
    /* release: who sees the new number sees what it is about. */
    (void)atomic_fetch_add_explicit(&gate->turn, 1, memory_order_release);
}

static struct gate_function *find(struct gate *gate, const struct cordon_function *function)
{
    struct gate_function *known = gate->functions;
    while (known && known->function != function) {
        known = known->next;
    }
    return known;
}

/* Functions that have been good for a window are forgotten. Returns whether all is quiet. */
static bool settle(struct gate *gate, uint64_t now_ns)
{
    struct gate_function **link = &gate->functions;
    while (*link) {
        struct gate_function *known = *link;
        if (breaker_is_quiet(&known->breaker, &gate->function_options, now_ns)) {
            *link = known->next;
            free(known);
        } else {
            link = &known->next;
        }
    }
    return !gate->functions && breaker_is_quiet(&gate->breaker, &gate->cell_options, now_ns);
}

static int ask_both(struct gate *gate, struct gate_function *known, uint64_t now_ns,
                    struct gate_pass *ret_pass, uint64_t *ret_wait_ns, bool *ret_is_cell)
{
    int verdict = BREAKER_PASS;
    if (gate->cell_options.samples > 0) {
        verdict = breaker_ask(&gate->breaker, &gate->cell_options, now_ns, ret_wait_ns);
        ret_pass->cell_probe = verdict == BREAKER_PROBE;
        *ret_is_cell = verdict == BREAKER_REFUSE;
    }
    if (verdict != BREAKER_REFUSE && known) {
        verdict = breaker_ask(&known->breaker, &gate->function_options, now_ns, ret_wait_ns);
        ret_pass->function_probe = verdict == BREAKER_PROBE;
        if (verdict == BREAKER_REFUSE && ret_pass->cell_probe) {
            breaker_tell(&gate->breaker, &gate->cell_options, now_ns, BREAKER_VOID, true);
        }
    }
    return verdict;
}

static int refuse(struct cordon_session *session, const struct cordon_function *function,
                  uint64_t wait_ns, bool is_cell, struct message *why)
{
    uint32_t wait_ms = (uint32_t)((wait_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS);
    session->retry_after_ms = wait_ms;
    if (is_cell) {
        return message_set(why, CORDON_OPEN,
                           "the cell's breaker is open: too many calls crashed or passed their "
                           "deadline; try again in %u ms",
                           wait_ms);
    }
    return message_set(why, CORDON_OPEN,
                       "the breaker of %s is open: too many of its calls crashed or passed their "
                       "deadline; try again in %u ms",
                       plan_name(function->plan, function->record->name), wait_ms);
}

int gate_ask(struct cordon_session *session, const struct cordon_function *function,
             struct gate_pass *ret_pass, struct message *why)
{
    struct gate *gate = &session->cell->gate;
    *ret_pass = (struct gate_pass){.counted = false};
    uint32_t turn = atomic_load_explicit(&gate->turn, memory_order_acquire);
    if (turn == session->gate_seen) {
        return 0;
    }
    uint64_t now_ns = clock_now_ns();
    uint64_t wait_ns = 0;
    bool is_cell = false;
    int verdict = BREAKER_PASS;
    (void)pthread_mutex_lock(&gate->lock);
    if (settle(gate, now_ns)) {
        session->gate_seen = turn; /* a failure since then has changed it again */
    } else {
        ret_pass->counted = true;
        verdict = ask_both(gate, find(gate, function), now_ns, ret_pass, &wait_ns, &is_cell);
    }
    (void)pthread_mutex_unlock(&gate->lock);
    return verdict == BREAKER_REFUSE ? refuse(session, function, wait_ns, is_cell, why) : 0;
}

static void tell_both(struct gate *gate, const struct cordon_function *function,
                      const struct gate_pass *pass, enum breaker_event event)
{
    uint64_t now_ns = clock_now_ns();
    if (gate->cell_options.samples > 0) {
        breaker_tell(&gate->breaker, &gate->cell_options, now_ns, event, pass->cell_probe);
    }
    if (gate->function_options.samples == 0) {
        return;
    }
    struct gate_function *known = find(gate, function);
    if (!known && event == BREAKER_FAILED) {
        known = calloc(1, sizeof *known);
        if (known) {
            known->function = function;
            known->next = gate->functions;
            gate->functions = known;
        }
    }
    if (known) {
        uint64_t before = known->breaker.opened;
        breaker_tell(&known->breaker, &gate->function_options, now_ns, event, pass->function_probe);
        gate->opened += known->breaker.opened - before;
    }
}

/* A worker ends once, however many calls it takes along. */
static bool is_new_failure(struct cordon_session *session)
{
    uint32_t number = session->station ? station_number(session->station) : 0;
    bool is_new = number == 0 || number != session->failed_number;
    session->failed_number = number;
    return is_new;
}

void gate_tell(struct cordon_session *session, const struct cordon_function *function,
               const struct gate_pass *pass, int outcome)
{
    struct gate *gate = &session->cell->gate;
    bool failed =
        (outcome == CORDON_CRASHED || outcome == CORDON_TIMEOUT) && is_new_failure(session);
    if (!failed && !pass->counted) {
        return;
    }
    enum breaker_event event = failed                   ? BREAKER_FAILED
                               : outcome == CORDON_DONE ? BREAKER_SUCCEEDED
                                                        : BREAKER_VOID;
    (void)pthread_mutex_lock(&gate->lock);
    gate->crashes += failed && outcome == CORDON_CRASHED;
    gate->timeouts += failed && outcome == CORDON_TIMEOUT;
    tell_both(gate, function, pass, event);
    bool quiet = gate->cell_options.samples == 0 && gate->function_options.samples == 0;
    (void)pthread_mutex_unlock(&gate->lock);
    if (failed && !quiet) {
        gate_turn(gate);
    }
}

/* ---- Lent workers ------------------------------------------------------------------------------ */

int gate_lent_ask(struct gate *gate, uint64_t now_ns, bool *ret_probe, uint64_t *ret_wait_ns)
{
    *ret_probe = false;
    if (gate->cell_options.samples == 0) {
        return 0;
    }
    (void)pthread_mutex_lock(&gate->lock);
    int verdict = breaker_ask(&gate->breaker, &gate->cell_options, now_ns, ret_wait_ns);
    (void)pthread_mutex_unlock(&gate->lock);
    *ret_probe = verdict == BREAKER_PROBE;
    return verdict == BREAKER_REFUSE ? CORDON_OPEN : 0;
}

/* One call that a client says went well. While the breaker looks for such, it is one of its probes. */
static void count_good(struct gate *gate, uint64_t now_ns)
{
    uint64_t ignored;
    int verdict = breaker_ask(&gate->breaker, &gate->cell_options, now_ns, &ignored);
    if (verdict != BREAKER_REFUSE) {
        breaker_tell(&gate->breaker, &gate->cell_options, now_ns, BREAKER_SUCCEEDED,
                     verdict == BREAKER_PROBE);
    }
}

void gate_lent_good(struct gate *gate, uint64_t now_ns, uint32_t calls, bool is_probe)
{
    if (gate->cell_options.samples == 0) {
        return;
    }
    (void)pthread_mutex_lock(&gate->lock);
    if (is_probe && calls > 0) {
        breaker_tell(&gate->breaker, &gate->cell_options, now_ns, BREAKER_SUCCEEDED, true);
        calls--;
    }
    /* Nobody counts as long as nothing fails. */
    bool quiet = breaker_is_quiet(&gate->breaker, &gate->cell_options, now_ns);
    for (uint32_t i = 0; i < calls && !quiet; i++) {
        count_good(gate, now_ns);
    }
    (void)pthread_mutex_unlock(&gate->lock);
}

void gate_lent_failed(struct gate *gate, int outcome, bool is_probe)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->crashes += outcome == CORDON_CRASHED;
    gate->timeouts += outcome == CORDON_TIMEOUT;
    if (gate->cell_options.samples > 0) {
        breaker_tell(&gate->breaker, &gate->cell_options, clock_now_ns(), BREAKER_FAILED, is_probe);
    }
    (void)pthread_mutex_unlock(&gate->lock);
    if (gate->cell_options.samples > 0) {
        gate_turn(gate);
    }
}

void gate_lent_void(struct gate *gate, bool is_probe)
{
    if (is_probe) {
        (void)pthread_mutex_lock(&gate->lock);
        breaker_tell(&gate->breaker, &gate->cell_options, clock_now_ns(), BREAKER_VOID, true);
        (void)pthread_mutex_unlock(&gate->lock);
    }
}

enum breaker_state gate_lent_state(struct gate *gate, uint64_t now_ns, uint64_t *ret_until_ns)
{
    (void)pthread_mutex_lock(&gate->lock);
    enum breaker_state state = gate->breaker.state;
    *ret_until_ns = gate->breaker.open_until_ns;
    (void)pthread_mutex_unlock(&gate->lock);
    return state == BREAKER_OPEN && now_ns >= *ret_until_ns ? BREAKER_HALF_OPEN : state;
}

void gate_stats(struct gate *gate, struct cordon_cell_stats *stats)
{
    (void)pthread_mutex_lock(&gate->lock);
    stats->breaker = gate->breaker.state;
    stats->breaker_opened = gate->breaker.opened + gate->opened;
    stats->crashes = gate->crashes;
    stats->timeouts = gate->timeouts;
    for (const struct gate_function *known = gate->functions; known; known = known->next) {
        stats->breakers_open += known->breaker.state != BREAKER_CLOSED;
    }
    (void)pthread_mutex_unlock(&gate->lock);
}
