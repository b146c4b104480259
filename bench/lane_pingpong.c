/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What does a lane add to the cache line that carries it?
 *
 * A lane's round trip (two words there, one back, an echo in a forked worker) against the raw ping-pong
 * on the same CPUs, back to back and spaced; a batch of 64; and with both sides on one CPU or the worker
 * asleep, against a futex round trip there. `--json` for scripts, `--rounds N`.
 */

#include "base/clock.h"
#include "floor.h"
#include "lane/host.h"
#include "lane/worker.h"
#include "measure.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_DEFAULT 31u
#define WARM_CALLS     50u

struct echo {
    struct lane *lane;
    pid_t worker;
    uint64_t spacing_ns;
    uint32_t calls;
};

static void require(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "lane_pingpong: %s failed\n", what);
        exit(1);
    }
}

static _Noreturn void run_worker(const struct lane *lane, int cpu)
{
    struct lane_end end;
    struct lane_order order;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)measure_pin(cpu);
    void *h = mmap(NULL, LANE_H_BYTES_DEFAULT, PROT_READ, MAP_SHARED, lane_peek_h_fd(lane), 0);
    void *w = mmap(NULL, LANE_W_BYTES_DEFAULT, PROT_READ | PROT_WRITE, MAP_SHARED,
                   lane_peek_w_fd(lane), 0);
    require(h != MAP_FAILED && w != MAP_FAILED, "mmap");
    require(lane_end_init(&end, h, LANE_H_BYTES_DEFAULT, w, LANE_W_BYTES_DEFAULT, -1) == 0,
            "lane_end_init");
    while (lane_end_take(&end, false, &order) == 0) {
        uint64_t sum = order.words[0] + order.words[1];
        lane_end_return(&end, true, 0, 0, &sum, 1, 0);
    }
    _exit(0);
}

static void echo_open(struct echo *echo, int worker_cpu)
{
    struct lane_options options = {0};
    require(lane_open(&options, &echo->lane) == 0, "lane_open");
    echo->worker = fork();
    require(echo->worker >= 0, "fork");
    if (echo->worker == 0) {
        run_worker(echo->lane, worker_cpu);
    }
}

static void echo_close(struct echo *echo)
{
    (void)lane_condemn(echo->lane, LANE_CLOSED, 0);
    (void)waitpid(echo->worker, NULL, 0);
    lane_close(echo->lane);
}

static void call(struct lane *lane, uint64_t a)
{
    struct lane_message message = {.verb = LANE_CALL, .words = {a, 1}};
    struct lane_event event;
    uint32_t seq;
    require(lane_submit(lane, &message, CLOCK_NEVER, true, &seq) == 0, "lane_submit");
    require(lane_await(lane, seq, CLOCK_NEVER, NULL, NULL, &event) == LANE_CAME, "lane_await");
    require(event.words[0] == a + 1, "the sum");
    lane_collect(lane, seq);
}

static void pass_time(uint64_t ns)
{
    uint64_t until_ns = clock_now_ns() + ns;
    while (clock_now_ns() < until_ns) {
    }
}

static double back_to_back_round(void *context)
{
    struct echo *echo = context;
    for (uint32_t i = 0; i < WARM_CALLS; i++) {
        call(echo->lane, i);
    }
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < echo->calls; i++) {
        call(echo->lane, i);
    }
    return (double)(clock_now_ns() - began_ns) / echo->calls;
}

static double spaced_round(void *context)
{
    struct echo *echo = context;
    uint64_t took_ns = 0;
    for (uint32_t i = 0; i < echo->calls; i++) {
        pass_time(echo->spacing_ns);
        uint64_t began_ns = clock_now_ns();
        call(echo->lane, i);
        took_ns += clock_now_ns() - began_ns;
    }
    return (double)took_ns / echo->calls;
}

static void batch(struct lane *lane)
{
    uint32_t seqs[LANE_SLOTS];
    struct lane_event event;
    for (uint32_t i = 0; i < LANE_SLOTS; i++) {
        struct lane_message message = {.verb = LANE_CALL, .words = {i, 1}};
        require(lane_submit(lane, &message, CLOCK_NEVER, false, &seqs[i]) == 0, "lane_submit");
    }
    lane_ring(lane);
    for (uint32_t i = 0; i < LANE_SLOTS; i++) {
        require(lane_await(lane, seqs[i], CLOCK_NEVER, NULL, NULL, &event) == LANE_CAME,
                "lane_await");
        lane_collect(lane, seqs[i]);
    }
}

static double batch_round(void *context)
{
    struct echo *echo = context;
    uint32_t batches = echo->calls / LANE_SLOTS;
    batch(echo->lane);
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < batches; i++) {
        batch(echo->lane);
    }
    return (double)(clock_now_ns() - began_ns) / (batches * LANE_SLOTS);
}

static void report(const struct measure_line *lines, uint32_t count, double busy, bool json)
{
    if (json) {
        measure_print_json(stdout, lines, count, busy);
        return;
    }
    measure_print_table(stdout, lines, count, busy);
}

/* Two CPUs: the cache line is the floor. */
static void across(uint32_t rounds, bool json, int here, int there)
{
    enum {
        PINGPONG,
        FFI,
        CLOCK,
        FUTEX,
        LANE,
        BATCH,
        SPACED_5,
        SPACED_20,
        SPACED_100,
        SPACED_1000,
        COUNT
    };
    struct floor_pair *pair;
    struct echo echo = {.calls = 3200};
    struct echo spaced[4];
    static const uint64_t spacing_us[4] = {5, 20, 100, 1000};
    static const char *const names[4] = {"lane, 5 us apart", "lane, 20 us apart",
                                         "lane, 100 us apart", "lane, 1000 us apart"};
    (void)measure_pin(here);
    require(floor_pair_open(there, &pair) == 0, "floor_pair_open");
    echo_open(&echo, there);
    struct measure_series series[COUNT] = {
        [PINGPONG] = {"ping-pong", floor_pingpong_round, pair},
        [FFI] = {"ffi_call", floor_ffi_round, NULL},
        [CLOCK] = {"clock", floor_clock_round, NULL},
        [FUTEX] = {"futex, two CPUs", floor_futex_round, pair},
        [LANE] = {"lane", back_to_back_round, &echo},
        [BATCH] = {"lane, batch of 64, per call", batch_round, &echo},
    };
    for (uint32_t i = 0; i < 4; i++) {
        spaced[i] = (struct echo){.spacing_ns = spacing_us[i] * 1000, .calls = i == 3 ? 20 : 200};
        echo_open(&spaced[i], there);
        series[SPACED_5 + i] = (struct measure_series){names[i], spaced_round, &spaced[i]};
    }
    struct measure_busy from = measure_busy_now();
    require(measure_alternate(series, COUNT, rounds) == 0, "measure_alternate");
    double busy = measure_busy_share(from, measure_busy_now());
    struct measure_line lines[COUNT - LANE + 1] = {
        {.subject = &series[LANE], .floor = {{&series[PINGPONG], 1}}, .floor_terms = 1},
        {.subject = &series[LANE],
         .floor = {{&series[PINGPONG], 1}, {&series[FFI], 1.5}, {&series[CLOCK], 1}},
         .floor_terms = 3,
         .mark = 1},
        {.subject = &series[BATCH], .floor = {{&series[FFI], 2}}, .floor_terms = 1, .mark = 1},
    };
    for (uint32_t i = 0; i < 4; i++) {
        lines[3 + i] = (struct measure_line){.subject = &series[SPACED_5 + i],
                                             .floor = {{&series[FUTEX], 1}},
                                             .floor_terms = 1,
                                             .mark = 1.3};
    }
    report(lines, sizeof lines / sizeof lines[0], busy, json);
    if (!json) {
        (void)printf("lane - ping-pong: %.1f ns (median)\n", measure_excess_ns(&lines[0]).median);
    }
    measure_series_deinit(series, COUNT);
    for (uint32_t i = 0; i < 4; i++) {
        echo_close(&spaced[i]);
    }
    echo_close(&echo);
    floor_pair_close(pair);
}

/* One CPU: nobody may spin, the futex is the floor. */
static void on_one(uint32_t rounds, bool json, int here)
{
    enum { FUTEX, LANE, COUNT };
    struct floor_pair *pair;
    struct echo echo = {.calls = 100};
    (void)measure_pin(here);
    require(floor_pair_open(here, &pair) == 0, "floor_pair_open");
    echo_open(&echo, here);
    struct measure_series series[COUNT] = {
        [FUTEX] = {"futex, one CPU", floor_futex_round, pair},
        [LANE] = {"lane, one CPU", back_to_back_round, &echo},
    };
    struct measure_busy from = measure_busy_now();
    require(measure_alternate(series, COUNT, rounds) == 0, "measure_alternate");
    struct measure_line line = {
        .subject = &series[LANE], .floor = {{&series[FUTEX], 1}}, .floor_terms = 1, .mark = 1.3};
    report(&line, 1, measure_busy_share(from, measure_busy_now()), json);
    measure_series_deinit(series, COUNT);
    echo_close(&echo);
    floor_pair_close(pair);
}

int main(int argc, char **argv)
{
    uint32_t rounds = ROUNDS_DEFAULT;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc && atoi(argv[i + 1]) > 0) {
            rounds = (uint32_t)atoi(argv[++i]);
        } else {
            (void)fprintf(stderr, "usage: lane_pingpong [--json] [--rounds N]\n");
            return 2;
        }
    }
    int here;
    int there;
    measure_two_cpus(&here, &there);
    if (here != there) {
        across(rounds, json, here, there);
    }
    on_one(rounds, json, here);
    return 0;
}
