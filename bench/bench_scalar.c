/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_rig.h"

/*
 * Calls that fit a cache line: how near they come to a bare ping-pong. The function is libc's
 * gnu_dev_makedev(): two integers in, one out, a handful of instructions.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "floor.h"

#define ROUND_CALLS   2000u
#define ROUND_BATCHES 20u
#define WARM_CALLS    200u /* of a worker that slept meanwhile: as the ping-pong's */

static const struct rig_wish two_integers = {
    .library = "libc.so.6",
    .prototype = "unsigned long gnu_dev_makedev(unsigned int major, unsigned int minor)",
};

static double call_round(void *context)
{
    const struct rig_subject *subject = context;
    const struct cordon_value args[] = {cordon_uint(8), cordon_uint(1)};
    for (uint32_t i = 0; i < WARM_CALLS; i++) {
        rig_call(subject->function, args, 2);
    }
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < ROUND_CALLS; i++) {
        rig_call(subject->function, args, 2);
    }
    return (double)(clock_now_ns() - began_ns) / ROUND_CALLS;
}

static void expect(int got, const char *what)
{
    if (got != 0) {
        fprintf(stderr, "cordon: bench: %s ended as %s\n", what,
                got < 0 ? strerror(-got) : cordon_outcome_name(got));
        exit(1);
    }
}

static void run_batch(const struct rig_subject *subject)
{
    const struct cordon_value args[] = {cordon_uint(8), cordon_uint(1)};
    struct cordon_pending *pending[CORDON_BATCH_MAX];
    struct cordon_error error = {""};
    struct cordon_result result;
    for (uint32_t i = 0; i < CORDON_BATCH_MAX; i++) {
        expect(cordon_submit(subject->session, subject->function, args, 2, CORDON_DEFAULT,
                             &pending[i], &error),
               "submitting a call");
    }
    cordon_flush(subject->session);
    for (uint32_t i = 0; i < CORDON_BATCH_MAX; i++) {
        expect(cordon_collect(pending[i], CORDON_NEVER, &result), "collecting a call");
    }
}

static double batch_round(void *context)
{
    run_batch(context);
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < ROUND_BATCHES; i++) {
        run_batch(context);
    }
    return (double)(clock_now_ns() - began_ns) / (ROUND_BATCHES * CORDON_BATCH_MAX);
}

int bench_add(struct rig *rig)
{
    struct rig_subject subject;
    struct rig_wish wish = two_integers;
    struct floor_pair *pair = NULL;
    wish.worker_cpu = rig->worker_cpu;
    int r = floor_pair_open(rig->worker_cpu, &pair);
    if (r < 0) {
        return rig_fail(rig, r, "cannot start the ping-pong's partner");
    }
    r = rig_subject_open(rig, &wish, &subject);
    if (r == 0) {
        struct measure_series series[] = {{.name = "add", .round = call_round, .context = &subject},
                                          {.round = floor_pingpong_round, .context = pair},
                                          {.round = rig_call_floor_round}};
        (void)measure_pin(rig->host_cpu);
        r = measure_alternate(series, 3, rig->rounds);
        if (r == 0) {
            rig_report(rig,
                       &(struct measure_line){.subject = &series[0],
                                              .floor = {{&series[1], 1}, {&series[2], 1}},
                                              .floor_terms = 2,
                                              .mark = 1},
                       "ping-pong + 1.5 ffi_call + clock");
        }
        measure_series_deinit(series, 3);
        rig_unpin(rig);
        rig_subject_close(&subject);
    }
    floor_pair_close(pair);
    return r;
}

int bench_batch(struct rig *rig)
{
    struct rig_subject subject;
    struct rig_wish wish = two_integers;
    wish.worker_cpu = rig->worker_cpu;
    int r = rig_subject_open(rig, &wish, &subject);
    if (r < 0) {
        return r;
    }
    struct measure_series series[] = {{.name = "batch", .round = batch_round, .context = &subject},
                                      {.round = floor_ffi_round}};
    (void)measure_pin(rig->host_cpu);
    r = measure_alternate(series, 2, rig->rounds);
    if (r == 0) {
        rig_report(
            rig,
            &(struct measure_line){
                .subject = &series[0], .floor = {{&series[1], 2}}, .floor_terms = 1, .mark = 1},
            "2 ffi_call");
    }
    measure_series_deinit(series, 2);
    rig_unpin(rig);
    rig_subject_close(&subject);
    return r;
}
