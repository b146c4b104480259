/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/recycle.h"

#include "base/clock.h"
#include "cell/cell.h"
#include "cell/session.h"
#include "lane/errand.h"

/*
 * Until the next look, where calls in flight forbid one. With the call that looks it makes 13: every
 * place in batches of 2, 4, ... 64 has its turn, the first one, too.
 */
#define PENDING_CALLS 12u

#define LOOK_NS   CLOCK_SECOND_NS
#define ANSWER_NS CLOCK_SECOND_NS /* for a worker that does nothing to say what it holds */

static uint64_t calls_of(const struct cordon_session *session)
{
    return atomic_load_explicit(&session->counts.calls, memory_order_relaxed);
}

void recycle_begin(struct cordon_session *session, uint64_t holdings)
{
    uint64_t calls = calls_of(session);
    uint64_t now_ns = clock_now_ns();
    bool looks = session->cell->options.level == CORDON_LEVEL_PROCESS;
    session->recycle = (struct recycle){.look_at = looks ? calls + 1 : UINT64_MAX,
                                        .look_every = 1,
                                        .look_ns = now_ns,
                                        .calls = calls,
                                        .since_ns = now_ns,
                                        .holdings = holdings};
}

/* So many calls from now on: about a second's, RECYCLE_CALLS at most. */
static void plan_look(struct cordon_session *session, uint64_t now_ns)
{
    struct recycle *recycle = &session->recycle;
    uint64_t passed_ns = now_ns - recycle->look_ns;
    uint64_t every = recycle->look_every * 2;
    if (passed_ns > LOOK_NS) {
        every = recycle->look_every / (passed_ns / LOOK_NS + 1);
    }
    every = every < 1 ? 1 : every > RECYCLE_CALLS ? RECYCLE_CALLS : every;
    recycle->look_every = every;
    recycle->look_ns = now_ns;
    recycle->look_at = calls_of(session) + every;
    uint64_t most = session->cell->options.recycle_calls;
    if (most > 0 && recycle->look_at > recycle->calls + most &&
        calls_of(session) < recycle->calls + most) {
        recycle->look_at = recycle->calls + most;
    }
}

/* ERRAND_UNSAID: it is not worn. */
static uint32_t find_wear(struct cordon_session *session, uint64_t now_ns)
{
    const struct cordon_cell_options *options = &session->cell->options;
    struct recycle *recycle = &session->recycle;
    if (options->recycle_calls > 0 &&
        calls_of(session) - recycle->calls >= options->recycle_calls) {
        return ERRAND_RECYCLED_CALLS;
    }
    if (options->recycle_ms > 0 &&
        now_ns - recycle->since_ns >= options->recycle_ms * CLOCK_MS_NS) {
        return ERRAND_RECYCLED_TIME;
    }
    if (options->recycle_bytes == UINT64_MAX) {
        return ERRAND_UNSAID;
    }
    uint64_t bytes = station_resident_bytes(session->station);
    if (now_ns - recycle->measure_ns >= LOOK_NS) {
        recycle->measure_ns = now_ns;
        station_measure(session->station);
    }
    return bytes >= options->recycle_bytes ? ERRAND_RECYCLED_MEMORY : ERRAND_UNSAID;
}

/* The host's table knows of callbacks, the worker of the rest; what it says harms itself alone. */
bool recycle_holds_nothing(struct cordon_session *session)
{
    struct session_verb verb = {.verb = ENGINE_HOLDINGS};
    return !callback_table_is_used(&session->callbacks) &&
           session_verb(session, &verb, clock_after_ns(ANSWER_NS), NULL) == 0 &&
           verb.reply_words[0] <= session->recycle.holdings;
}

/* @calls  with the one that asks: the look comes with the one behind look_at, as in quick_is_ready(). */
static bool look(struct cordon_session *session, uint64_t calls)
{
    if (calls <= session->recycle.look_at || session->depth > 0) {
        return false;
    }
    if (session->pending) {
        session->recycle.look_at = calls_of(session) + PENDING_CALLS;
        return false;
    }
    uint64_t now_ns = clock_now_ns();
    plan_look(session, now_ns);
    struct life_counts *counts = &session->cell->life_counts;
    if (session->life.state == LIFE_SERVING) {
        session->recycle.reason = find_wear(session, now_ns);
    }
    if (session->life.state == LIFE_SERVING && session->recycle.reason != ERRAND_UNSAID) {
        life_step(&session->life, LIFE_WEARS, counts);
    }
    if (session->life.state != LIFE_WORN || !recycle_holds_nothing(session)) {
        return false;
    }
    life_step(&session->life, LIFE_RECYCLED, counts);
    station_say_why(session->station, session->recycle.reason);
    return true;
}

bool recycle_look(struct cordon_session *session)
{
    return look(session, calls_of(session));
}

bool recycle_look_ahead(struct cordon_session *session)
{
    return look(session, calls_of(session) + 1);
}
