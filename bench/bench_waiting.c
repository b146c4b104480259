/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_rig.h"

/*
 * Calls that are not back to back: the worker sleeps, has no CPU of its own, or others want it. All are
 * held against a futex round trip under the same circumstances - what parking at once would cost.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/futex.h"
#include "floor.h"
#include "floor_pair.h"
#include "waiting.h"

#define PARKED_MARK   1.3
#define SPACED_TRIPS  10u
#define PARKED_GAP_NS (2 * CLOCK_MS_NS)
#define ONE_CPU_CALLS 60u
#define CROWD_CALLS   100u
#define CROWD_MAX     64u

/* Trips with a pause before each, timed without the pause. */
struct spaced {
    struct rig_subject *subject;
    struct floor_pair *pair;
    uint64_t gap_ns;
    bool sleeping; /* the caller's CPU is idle in the pause, too */
};

static const struct rig_wish two_integers = {
    .library = "libc.so.6",
    .prototype = "unsigned long gnu_dev_makedev(unsigned int major, unsigned int minor)",
};

static void call_once(const struct rig_subject *subject)
{
    const struct cordon_value args[] = {cordon_uint(8), cordon_uint(1)};
    rig_call(subject->function, args, 2);
}

void waiting_pause(uint64_t gap_ns, bool sleeping)
{
    uint64_t until_ns = clock_now_ns() + gap_ns;
    if (sleeping) {
        struct timespec until = clock_timespec(until_ns);
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        return;
    }
    while (gap_ns > 0 && clock_now_ns() < until_ns) {
    }
}

static double spaced_call_round(void *context)
{
    const struct spaced *spaced = context;
    uint64_t took_ns = 0;
    for (uint32_t i = 0; i < SPACED_TRIPS; i++) {
        waiting_pause(spaced->gap_ns, spaced->sleeping);
        uint64_t began_ns = clock_now_ns();
        call_once(spaced->subject);
        took_ns += clock_now_ns() - began_ns;
    }
    return (double)took_ns / SPACED_TRIPS;
}

/* One futex round trip; the partner answers odd turns (floor_futex.c). */
static void futex_trip(struct floor_shared *shared, uint32_t turn)
{
    uint32_t seen;
    atomic_store_explicit(&shared->ball, turn, memory_order_release);
    futex_wake(&shared->ball, 1);
    while ((seen = atomic_load_explicit(&shared->ball, memory_order_acquire)) <= turn) {
        (void)futex_wait(&shared->ball, seen, CLOCK_NEVER);
    }
}

double waiting_futex_ns(struct floor_pair *pair, uint64_t gap_ns, bool sleeping)
{
    uint64_t took_ns = 0;
    floor_pair_begin(pair, FLOOR_FUTEX);
    for (uint32_t i = 0; i < SPACED_TRIPS; i++) {
        waiting_pause(gap_ns, sleeping);
        uint64_t began_ns = clock_now_ns();
        futex_trip(pair->shared, 2 * i + 1);
        took_ns += clock_now_ns() - began_ns;
    }
    floor_pair_end(pair);
    return (double)took_ns / SPACED_TRIPS;
}

static double spaced_futex_round(void *context)
{
    const struct spaced *spaced = context;
    return waiting_futex_ns(spaced->pair, spaced->gap_ns, spaced->sleeping);
}

static double back_to_back_round(void *context)
{
    const struct spaced *spaced = context;
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < ONE_CPU_CALLS; i++) {
        call_once(spaced->subject);
    }
    return (double)(clock_now_ns() - began_ns) / ONE_CPU_CALLS;
}

/* Caller here, worker and the floor's partner on @cpu. */
static int waiting_open(struct rig *rig, int cpu, struct rig_subject *ret_subject,
                        struct spaced *ret_spaced)
{
    struct rig_wish wish = two_integers;
    wish.worker_cpu = cpu;
    int r = floor_pair_open(cpu, &ret_spaced->pair);
    if (r < 0) {
        return rig_fail(rig, r, "cannot start the futex's partner");
    }
    r = rig_subject_open(rig, &wish, ret_subject);
    if (r < 0) {
        floor_pair_close(ret_spaced->pair);
        return r;
    }
    ret_spaced->subject = ret_subject;
    (void)measure_pin(rig->host_cpu);
    return 0;
}

static void waiting_close(struct rig *rig, struct spaced *spaced)
{
    rig_unpin(rig);
    rig_subject_close(spaced->subject);
    floor_pair_close(spaced->pair);
}

static int waiting_measure(struct rig *rig, struct measure_series *series, const char *floor_text)
{
    int r = measure_alternate(series, 2, rig->rounds);
    if (r == 0) {
        rig_report(rig,
                   &(struct measure_line){.subject = &series[0],
                                          .floor = {{&series[1], 1}},
                                          .floor_terms = 1,
                                          .mark = PARKED_MARK},
                   floor_text);
    }
    measure_series_deinit(series, 2);
    return r;
}

int bench_parked(struct rig *rig)
{
    struct rig_subject subject;
    struct spaced spaced = {.gap_ns = PARKED_GAP_NS, .sleeping = true};
    int r = waiting_open(rig, rig->worker_cpu, &subject, &spaced);
    if (r < 0) {
        return r;
    }
    struct measure_series series[] = {
        {.name = "parked", .round = spaced_call_round, .context = &spaced},
        {.round = spaced_futex_round, .context = &spaced},
    };
    r = waiting_measure(rig, series, "futex round trip, both asleep 2 ms");
    waiting_close(rig, &spaced);
    return r;
}

int bench_one_cpu(struct rig *rig)
{
    struct rig_subject subject;
    struct spaced spaced = {0};
    int r = waiting_open(rig, rig->host_cpu, &subject, &spaced);
    if (r < 0) {
        return r;
    }
    struct measure_series series[] = {
        {.name = "one-cpu", .round = back_to_back_round, .context = &spaced},
        {.round = floor_futex_round, .context = spaced.pair},
    };
    r = waiting_measure(rig, series, "futex round trip on that CPU");
    waiting_close(rig, &spaced);
    return r;
}

int bench_spaced(struct rig *rig)
{
    static const uint32_t gaps_us[] = {0, 5, 20, 100, 1000};
    struct rig_subject subject;
    struct spaced spaced = {0};
    int r = waiting_open(rig, rig->worker_cpu, &subject, &spaced);
    if (r < 0) {
        return r;
    }
    for (uint32_t i = 0; i < sizeof gaps_us / sizeof gaps_us[0] && r == 0; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "spaced-%uus", gaps_us[i]);
        spaced.gap_ns = gaps_us[i] * 1000ull;
        struct measure_series series[] = {
            {.name = name, .round = spaced_call_round, .context = &spaced},
            {.round = spaced_futex_round, .context = &spaced},
        };
        r = waiting_measure(rig, series, "futex round trip, spaced alike");
    }
    waiting_close(rig, &spaced);
    return r;
}

/* One of many callers, with a worker and a partner of its own. */
struct crowd_member {
    struct cordon_session *session;
    struct cordon_function *function;
    struct floor_pair *pair;
    bool floor; /* what this round measures */
    double ns;  /* per call; written by the member's thread */
};

struct crowd {
    struct crowd_member members[CROWD_MAX];
    uint32_t count;
};

static void *crowd_thread(void *context)
{
    struct crowd_member *member = context;
    const struct cordon_value args[] = {cordon_uint(8), cordon_uint(1)};
    struct cordon_result result;
    if (member->floor) {
        member->ns = floor_futex_round(member->pair);
        return NULL;
    }
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < CROWD_CALLS; i++) {
        if (cordon_session_call(member->session, member->function, args, 2, CORDON_NEVER,
                                &result) != CORDON_DONE) {
            fprintf(stderr, "cordon: bench: a call failed: %s\n", result.error.text);
            exit(1);
        }
    }
    member->ns = (double)(clock_now_ns() - began_ns) / CROWD_CALLS;
    return NULL;
}

static double crowd_round(struct crowd *crowd, bool floor)
{
    pthread_t threads[CROWD_MAX];
    double sum = 0;
    for (uint32_t i = 0; i < crowd->count; i++) {
        crowd->members[i].floor = floor;
        if (pthread_create(&threads[i], NULL, crowd_thread, &crowd->members[i]) != 0) {
            abort();
        }
    }
    for (uint32_t i = 0; i < crowd->count; i++) {
        (void)pthread_join(threads[i], NULL);
        sum += crowd->members[i].ns;
    }
    return sum / crowd->count;
}

static double crowd_call_round(void *context)
{
    return crowd_round(context, false);
}

static double crowd_futex_round(void *context)
{
    return crowd_round(context, true);
}

static int crowd_open(struct rig *rig, struct crowd *crowd, struct rig_subject *subject)
{
    int r = 0;
    for (uint32_t i = 0; i < crowd->count && r == 0; i++) {
        r = floor_pair_open(-1, &crowd->members[i].pair);
    }
    if (r < 0) {
        return rig_fail(rig, r, "cannot start the futexes' partners");
    }
    struct rig_wish wish = two_integers;
    wish.worker_cpu = -1;
    r = rig_subject_open(rig, &wish, subject);
    for (uint32_t i = 0; i < crowd->count && r == 0; i++) {
        crowd->members[i].function = subject->function;
        r = cordon_session_open(subject->cell, &crowd->members[i].session, &rig->error);
        r = r < 0 ? r : rig_pin_worker(rig, crowd->members[i].session, -1);
    }
    return r;
}

int bench_crowded(struct rig *rig)
{
    struct crowd crowd = {.count = 2 * (uint32_t)CPU_COUNT(&rig->cpus)};
    struct rig_subject subject = {0};
    crowd.count = crowd.count > CROWD_MAX ? CROWD_MAX : crowd.count;
    int r = crowd_open(rig, &crowd, &subject);
    if (r == 0) {
        struct measure_series series[] = {
            {.name = "crowded", .round = crowd_call_round, .context = &crowd},
            {.round = crowd_futex_round, .context = &crowd},
        };
        r = waiting_measure(rig, series, "as many futex round trips");
    }
    for (uint32_t i = 0; i < crowd.count; i++) {
        cordon_session_close(crowd.members[i].session);
        floor_pair_close(crowd.members[i].pair);
    }
    rig_subject_close(&subject);
    return r;
}
