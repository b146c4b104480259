/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/recycle.h"

#include "base/clock.h"
#include "cell/cell.h"
#include "cell/session.h"
#include "lane/errand.h"

/*
 * Until the next look, where calls in flight forbid one: every place in batches of 2, 4, ... 64 has its
 * turn, the first one, too.
 */
#define PENDING_CALLS 13u

#define LOOK_NS   CLOCK_SECOND_NS
#define ANSWER_NS CLOCK_SECOND_NS /* for a worker that does nothing to say what it holds */

/* Calls that workers of the session were sent, however they ended. */
static uint64_t served_by(const struct cordon_session *session)
{
    return atomic_load_explicit(&session->counts.calls, memory_order_relaxed) -
           session->recycle.aside;
}

/* No later than when the present worker has served its calls. */
static void look_after(struct cordon_session *session, uint64_t calls)
{
    struct recycle *recycle = &session->recycle;
    uint64_t most = session->cell->options.recycle_calls;
    uint64_t served = served_by(session);
    recycle->look_at = served + calls;
    if (most > 0 && served < recycle->calls + most && recycle->look_at > recycle->calls + most) {
        recycle->look_at = recycle->calls + most;
    }
}

void recycle_begin(struct cordon_session *session, uint64_t holdings)
{
    uint64_t now_ns = clock_now_ns();
    session->recycle = (struct recycle){.aside = session->recycle.aside,
                                        .look_at = UINT64_MAX,
                                        .look_every = 1,
                                        .look_ns = now_ns,
                                        .calls = served_by(session),
                                        .since_ns = now_ns,
                                        .holdings = holdings};
    if (session->cell->options.level == CORDON_LEVEL_PROCESS) {
        look_after(session, 2);
    }
}

void recycle_aside(struct cordon_session *session)
{
    session->recycle.aside++;
}

void recycle_sent(struct cordon_session *session)
{
    session->recycle.aside--;
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
    look_after(session, every);
}

static bool has_served_all(const struct cordon_session *session)
{
    uint64_t most = session->cell->options.recycle_calls;
    return most > 0 && served_by(session) - session->recycle.calls >= most;
}

/* ERRAND_UNSAID: it is not worn. */
static uint32_t find_wear(struct cordon_session *session, uint64_t now_ns)
{
    const struct cordon_cell_options *options = &session->cell->options;
    struct recycle *recycle = &session->recycle;
    if (has_served_all(session)) {
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

bool recycle_look(struct cordon_session *session)
{
    if (served_by(session) < session->recycle.look_at || session->depth > 0) {
        return false;
    }
    if (session->pending) {
        /* Worn by its calls it waits for nothing but these. */
        bool is_due = session->life.state == LIFE_SERVING && has_served_all(session);
        look_after(session, is_due ? 0 : PENDING_CALLS);
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
