/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_gateway.h"

/*
 * What a request by socket costs: sha256 of 1 KB, by the real daemon, beside an echo of the same bytes. Where
 * client and server run decides more than anything else: a wake-up on the same CPU takes 2-3 us, one
 * that has to fetch another CPU out of its sleep 20-40. Each line says who was where; the echo was there, too.
 */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "floor.h"
#include "waiting.h"

#define WARM_TRIPS    20u
#define ROUND_TRIPS   100u
#define SPACED_TRIPS  10u
#define GATEWAY_MARK  1.3
#define SPINNING_MARK 1.2
#define ANYWHERE      (-1)

double gateway_trip_round(void *context)
{
    caller_trips(context, WARM_TRIPS);
    uint64_t began_ns = clock_now_ns();
    caller_trips(context, ROUND_TRIPS);
    return (double)(clock_now_ns() - began_ns) / ROUND_TRIPS;
}

/*
 * Where the processes of a measurement are. A worker can spin where client and daemon share a CPU and leave it
 * another one; with as many CPUs as processes it would anywhere.
 */
struct placing {
    const char *name;
    int caller_cpu;
    int server_cpu; /* the daemon, or the echo */
    int worker_cpu; /* the daemon's workers, or the futex's partner */
    bool with_futex;
    double mark;
    const char *floor_text;
};

struct placed {
    struct socket_caller caller;
    struct floor_echo echo;
    struct floor_pair *pair;
};

static void placed_close(struct stage *stage, struct placed *placed)
{
    rig_unpin(stage->rig);
    floor_pair_close(placed->pair);
    floor_echo_close(&placed->echo);
    caller_close(&placed->caller);
    stage_end_daemon(stage);
}

static int placed_open(struct stage *stage, const struct placing *placing,
                       struct placed *ret_placed)
{
    *ret_placed = (struct placed){0};
    int r =
        stage_start_daemon(stage, placing->server_cpu, placing->worker_cpu, &ret_placed->caller);
    if (r < 0) {
        stage_end_daemon(stage);
        return r;
    }
    r = floor_echo_open(&ret_placed->echo, placing->server_cpu, stage->json, stage->answer_bytes);
    r = r < 0 ? r : floor_pair_open(placing->worker_cpu, &ret_placed->pair);
    if (r < 0) {
        placed_close(stage, ret_placed);
        return rig_fail(stage->rig, r, "cannot start a floor's partner");
    }
    if (placing->caller_cpu >= 0) {
        (void)measure_pin(placing->caller_cpu);
    }
    return 0;
}

static int ask_placed(struct stage *stage, const struct placing *placing)
{
    struct placed placed;
    int r = placed_open(stage, placing, &placed);
    if (r < 0) {
        return r;
    }
    struct measure_series series[] = {
        {.name = placing->name, .round = gateway_trip_round, .context = &placed.caller},
        {.round = gateway_trip_round, .context = &placed.echo.caller},
        {.round = floor_futex_round, .context = placed.pair},
    };
    uint32_t count = placing->with_futex ? 3 : 2;
    r = measure_alternate(series, count, stage->rig->rounds);
    if (r == 0) {
        rig_report(stage->rig,
                   &(struct measure_line){.subject = &series[0],
                                          .floor = {{&series[1], 1}, {&series[2], 1}},
                                          .floor_terms = count - 1,
                                          .mark = placing->mark},
                   placing->floor_text);
    }
    measure_series_deinit(series, count);
    placed_close(stage, &placed);
    return r;
}

int gateway_ask_sequential(struct stage *stage)
{
    int host = stage->rig->host_cpu;
    int other = stage->rig->worker_cpu;
    const struct placing placings[] = {
        {"gateway", ANYWHERE, ANYWHERE, ANYWHERE, true, GATEWAY_MARK,
         "echo + futex round trip, all anywhere"},
        {"gateway-spinning", host, host, other, false, SPINNING_MARK,
         "echo, both on one CPU; worker spins on another"},
        {"gateway-apart", host, other, other, true, 0,
         "echo + futex, client on one CPU, all else on another"},
        {"gateway-one-cpu", host, host, host, true, 0, "echo + futex round trip, all on one CPU"},
    };
    int r = 0;
    for (uint32_t i = 0; i < sizeof placings / sizeof placings[0] && r == 0; i++) {
        r = ask_placed(stage, &placings[i]);
    }
    return r;
}

/* ---- Apart in time ----------------------------------------------------------------------------- */

struct spaced_caller {
    struct socket_caller *caller;
    struct floor_pair *pair; /* a futex round trip is added; NULL: none */
    uint64_t gap_ns;
};

static double spaced_round(void *context)
{
    const struct spaced_caller *spaced = context;
    uint64_t took_ns = 0;
    for (uint32_t i = 0; i < SPACED_TRIPS; i++) {
        waiting_pause(spaced->gap_ns, false);
        uint64_t began_ns = clock_now_ns();
        caller_trips(spaced->caller, 1);
        took_ns += clock_now_ns() - began_ns;
    }
    double futex_ns = spaced->pair ? waiting_futex_ns(spaced->pair, spaced->gap_ns, false) : 0;
    return (double)took_ns / SPACED_TRIPS + futex_ns;
}

static int ask_gap(struct stage *stage, struct placed *placed, uint32_t gap_us)
{
    char name[32];
    (void)snprintf(name, sizeof name, "gateway-%uus-apart", gap_us);
    struct spaced_caller subject = {&placed->caller, NULL, gap_us * 1000ull};
    struct spaced_caller floor = {&placed->echo.caller, placed->pair, gap_us * 1000ull};
    struct measure_series series[] = {
        {.name = name, .round = spaced_round, .context = &subject},
        {.round = spaced_round, .context = &floor},
    };
    int r = measure_alternate(series, 2, stage->rig->rounds);
    if (r == 0) {
        rig_report(stage->rig,
                   &(struct measure_line){
                       .subject = &series[0], .floor = {{&series[1], 1}}, .floor_terms = 1},
                   "echo + futex round trip, apart alike, anywhere");
    }
    measure_series_deinit(series, 2);
    return r;
}

int gateway_ask_spaced(struct stage *stage)
{
    static const uint32_t gaps_us[] = {0, 5, 20, 100, 1000};
    const struct placing anywhere = {"", ANYWHERE, ANYWHERE, ANYWHERE, true, 0, ""};
    struct placed placed;
    int r = placed_open(stage, &anywhere, &placed);
    if (r < 0) {
        return r;
    }
    for (uint32_t i = 0; i < sizeof gaps_us / sizeof gaps_us[0] && r == 0; i++) {
        r = ask_gap(stage, &placed, gaps_us[i]);
    }
    placed_close(stage, &placed);
    return r;
}

int bench_gateway(struct rig *rig)
{
    static int (*const parts[])(struct stage *) = {
        gateway_ask_sequential, gateway_ask_spaced, gateway_ask_flight,
        gateway_ask_table,      gateway_ask_memory, gateway_ask_fairness,
    };
    struct stage stage;
    int r = stage_open(rig, &stage);
    if (r < 0) {
        return r;
    }
    for (uint32_t i = 0; i < sizeof parts / sizeof parts[0] && r == 0; i++) {
        r = parts[i](&stage);
    }
    stage_close(&stage);
    return r;
}
