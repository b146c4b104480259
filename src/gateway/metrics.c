/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/metrics.h"

#include <assert.h>
#include <string.h>

#include "cordon/outcome.h"
#include "gateway/exposition.h"
#include "gateway/gateway.h"
#include "gateway/seat.h"
#include "gateway/stats.h"

#define OTHERS "(others)"

static const char *const levels[] = {"process", "thread", "inline"};

/* ---- Cells -------------------------------------------------------------------------------------- */

struct cell_facts {
    const struct house *house;
    struct cordon_cell_stats stats;
    uint64_t ready;
};

static struct cell_facts facts_of(const struct house *house)
{
    struct cell_facts facts = {.house = house};
    cordon_cell_stats(house->cell, &facts.stats);
    for (uint32_t i = 0; i < house->settings.workers; i++) {
        facts.ready += house->seats[i]->state == SEAT_READY;
    }
    return facts;
}

#define FACT(name, expression)                                                                     \
    static uint64_t name(const struct cell_facts *facts)                                           \
    {                                                                                              \
        return expression;                                                                         \
    }
FACT(is_up, strcmp(stats_state(facts->house), "ready") == 0)
FACT(generation, facts->house->generation)
FACT(in_flight, facts->house->in_flight)
FACT(waiting, facts->house->waiting)
FACT(workers, facts->house->settings.workers)
FACT(ready, facts->ready)
FACT(client_workers, facts->house->own_seats)
FACT(spares, facts->stats.spares)
FACT(breakers_open, facts->stats.breakers_open)
FACT(breaker_opened, facts->stats.breaker_opened)
FACT(started, facts->stats.started)
FACT(crashes, facts->stats.crashes)
FACT(timeouts, facts->stats.timeouts)
FACT(recycled, facts->stats.recycled)
FACT(promoted, facts->stats.promoted)
FACT(starts_failed, facts->stats.starts_failed)
#undef FACT

/* One sample of each cell. */
static const struct cell_family {
    enum exposition_kind kind;
    const char *name;
    const char *help;
    uint64_t (*value)(const struct cell_facts *facts);
} cell_families[] = {
    {EXPOSITION_GAUGE, "cordon_cell_up", "1 while a shared worker of the cell serves.", is_up},
    {EXPOSITION_GAUGE, "cordon_cell_generation", "Grows with each replacement by a reload.",
     generation},
    {EXPOSITION_GAUGE, "cordon_cell_in_flight", "Calls given to workers.", in_flight},
    {EXPOSITION_GAUGE, "cordon_cell_queue", "Requests that wait for a worker.", waiting},
    {EXPOSITION_GAUGE, "cordon_cell_workers", "Shared workers the cell may have.", workers},
    {EXPOSITION_GAUGE, "cordon_cell_workers_ready", "Shared workers that serve.", ready},
    {EXPOSITION_GAUGE, "cordon_cell_client_workers", "Workers of single clients.", client_workers},
    {EXPOSITION_GAUGE, "cordon_cell_spares", "Workers kept ready to take another's place.", spares},
    {EXPOSITION_GAUGE, "cordon_cell_breakers_open", "Functions whose breaker is not closed.",
     breakers_open},
    {EXPOSITION_COUNTER, "cordon_cell_breaker_opened",
     "How often the breaker of the cell or of a function opened.", breaker_opened},
    {EXPOSITION_COUNTER, "cordon_cell_workers_started", "Workers put to work.", started},
    {EXPOSITION_COUNTER, "cordon_cell_workers_crashed", "Workers that ended by a crash in a call.",
     crashes},
    {EXPOSITION_COUNTER, "cordon_cell_workers_timed_out", "Workers ended by a call's deadline.",
     timeouts},
    {EXPOSITION_COUNTER, "cordon_cell_workers_recycled",
     "Workers replaced for their age or memory.", recycled},
    {EXPOSITION_COUNTER, "cordon_cell_workers_promoted",
     "Spares that took a dead or recycled worker's place.", promoted},
    {EXPOSITION_COUNTER, "cordon_cell_worker_starts_failed", "Workers that never came to serve.",
     starts_failed},
};

static void name_cell(struct exposition *x, const struct house *house)
{
    exposition_labels(x, &(struct exposition_label){"cell", house->settings.name}, 1);
}

static void write_cells(const struct gateway *gateway, struct exposition *x)
{
    for (size_t i = 0; i < sizeof cell_families / sizeof cell_families[0]; i++) {
        const struct cell_family *family = &cell_families[i];
        exposition_family(x, family->kind, family->name, family->help);
        for (size_t j = 0; j < gateway->house_count; j++) {
            struct cell_facts facts = facts_of(gateway->houses[j]);
            name_cell(x, facts.house);
            exposition_sample(x, NULL, family->value(&facts));
        }
    }
}

static void write_cell_infos(const struct gateway *gateway, struct exposition *x)
{
    exposition_family(x, EXPOSITION_INFO, "cordon_cell", "What the cell isolates, and how.");
    for (size_t i = 0; i < gateway->house_count; i++) {
        const struct house *house = gateway->houses[i];
        const struct exposition_label labels[] = {
            {"cell", house->settings.name},
            {"library", house->library ? house->library : ""},
            {"level", levels[house->settings.options.level]},
        };
        exposition_labels(x, labels, sizeof labels / sizeof labels[0]);
        exposition_sample(x, NULL, 1);
    }
}

static void write_breakers(const struct gateway *gateway, struct exposition *x)
{
    static const char *const states[] = {"closed", "open", "half-open"};
    exposition_family(x, EXPOSITION_GAUGE, "cordon_cell_breaker",
                      "1 for the state that the cell's own breaker is in.");
    for (size_t i = 0; i < gateway->house_count; i++) {
        struct cell_facts facts = facts_of(gateway->houses[i]);
        name_cell(x, facts.house);
        for (uint32_t state = 0; state < sizeof states / sizeof states[0]; state++) {
            exposition_sample(x, &(struct exposition_label){"state", states[state]},
                              facts.stats.breaker == state);
        }
    }
}

/* ---- Methods ------------------------------------------------------------------------------------ */

typedef void write_tally_fn(struct exposition *x, const struct tally *tally);

static void each_tally(const struct gateway *gateway, struct exposition *x, write_tally_fn *write)
{
    for (size_t i = 0; i < gateway->house_count; i++) {
        const struct house *house = gateway->houses[i];
        struct tally others = {0};
        for (size_t j = 0; j < house->method_count; j++) {
            const struct method *method = &house->methods[j];
            const struct exposition_label labels[] = {{"cell", house->settings.name},
                                                      {"method", method->settings.name}};
            if (j >= METRICS_METHODS) {
                tally_merge(&others, &method->tally);
            } else if (method->tally.count > 0) {
                exposition_labels(x, labels, 2);
                write(x, &method->tally);
            }
        }
        if (others.count > 0) {
            const struct exposition_label labels[] = {{"cell", house->settings.name},
                                                      {"method", OTHERS}};
            exposition_labels(x, labels, 2);
            write(x, &others);
        }
    }
}

static void write_outcomes(struct exposition *x, const struct tally *tally)
{
    for (int i = 0; i < (int)TALLY_OUTCOMES; i++) {
        exposition_sample(x, &(struct exposition_label){"outcome", cordon_outcome_name(i)},
                          tally->ended[i]);
    }
    exposition_sample(x, &(struct exposition_label){"outcome", "error"}, tally->errors);
}

/* Every fourth bucket of a tally, twice the one before, from 1 us to 67 s: as text, each exact. */
static const char *const bounds[] = {
    "1e-06",    "2e-06",    "4e-06",    "8e-06",     "1.6e-05",   "3.2e-05",   "6.4e-05",
    "0.000128", "0.000256", "0.000512", "0.001024",  "0.002048",  "0.004096",  "0.008192",
    "0.016384", "0.032768", "0.065536", "0.131072",  "0.262144",  "0.524288",  "1.048576",
    "2.097152", "4.194304", "8.388608", "16.777216", "33.554432", "67.108864",
};
#define BOUNDS (sizeof bounds / sizeof bounds[0])
static_assert(4 * (BOUNDS - 1) < TALLY_BUCKETS, "the last bound is a bucket's");

static void write_histogram(struct exposition *x, const struct tally *tally)
{
    uint64_t below = 0;
    for (uint32_t i = 0; i <= 4 * (BOUNDS - 1); i++) {
        below += tally->buckets[i];
        if (i % 4 == 0) {
            exposition_bucket(x, bounds[i / 4], below);
        }
    }
    exposition_bucket(x, "+Inf", tally->count);
    exposition_sum(x, (double)tally->sum_ns / 1e9, tally->count);
}

void metrics_write(const struct gateway *gateway, struct exposition *x)
{
    exposition_family(x, EXPOSITION_INFO, "cordon_build", "The daemon's version.");
    exposition_sample(x, &(struct exposition_label){"version", CORDON_VERSION}, 1);
    exposition_family(x, EXPOSITION_GAUGE, "cordon_clients", "Connected clients.");
    exposition_sample(x, NULL, gateway->client_count);
    exposition_family(x, EXPOSITION_GAUGE, "cordon_clients_limit", "Clients that may connect.");
    exposition_sample(x, NULL, gateway->limits.clients);
    exposition_family(x, EXPOSITION_COUNTER, "cordon_clients_accepted",
                      "Clients that ever connected.");
    exposition_sample(x, NULL, gateway->accepted);
    exposition_family(x, EXPOSITION_COUNTER, "cordon_clients_forbidden",
                      "Clients whose user may not use the daemon.");
    exposition_sample(x, NULL, gateway->forbidden);
    exposition_family(x, EXPOSITION_COUNTER, "cordon_clients_slow",
                      "Clients that were closed for being slow.");
    exposition_sample(x, NULL, gateway->slow);
    exposition_family(x, EXPOSITION_GAUGE, "cordon_requests_in_flight",
                      "Requests that are not answered yet.");
    exposition_sample(x, NULL, gateway->in_flight);
    exposition_family(x, EXPOSITION_COUNTER, "cordon_requests_refused",
                      "Requests that came to no method.");
    exposition_sample(x, NULL, gateway->refused);
    write_cell_infos(gateway, x);
    write_cells(gateway, x);
    write_breakers(gateway, x);
    exposition_family(x, EXPOSITION_COUNTER, "cordon_calls",
                      "Calls that ended, by how they ended; error: of the daemon's own.");
    each_tally(gateway, x, write_outcomes);
    exposition_family(x, EXPOSITION_HISTOGRAM, "cordon_call_duration_seconds",
                      "Time from a request's arrival to its answer.");
    each_tally(gateway, x, write_histogram);
}
