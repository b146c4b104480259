/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

/*
 * Measuring against floors on a machine whose speed drifts: floor and subject alternate in short rounds
 * (A B A B ...), ratios are taken round by round, and the median of the ratios is what counts.
 */

#include <stdint.h>
#include <stdio.h>

/* What is measured: a round returns nanoseconds per operation. */
struct measure_series {
    const char *name;
    double (*round)(void *context);
    void *context;
    double *samples_ns; /* written by measure_alternate(), owned; NULL before */
    uint32_t rounds;
};

/*
 * Run all series in turn, @rounds times, after one round of each that does not count.
 * Returns 0 or -ENOMEM. Free with measure_series_deinit().
 */
int measure_alternate(struct measure_series *series, uint32_t count, uint32_t rounds);
void measure_series_deinit(struct measure_series *series, uint32_t count);

struct measure_spread {
    double median;
    double min;
    double max;
};

/* Of @count > 0 values. */
struct measure_spread measure_spread(const double *values, uint32_t count);

/* A floor is a sum: 1 x ping-pong + 1.5 x ffi_call ... */
struct measure_term {
    const struct measure_series *series;
    double weight;
};

#define MEASURE_TERMS_MAX 4u

/* One line of a report: a subject held against a sum of floors. */
struct measure_line {
    const struct measure_series *subject;
    struct measure_term floor[MEASURE_TERMS_MAX];
    uint32_t floor_terms;
    double mark; /* the ratio that is to be kept; 0: none */
};

/* Subject / floor, and subject - floor, round by round. */
struct measure_spread measure_ratio(const struct measure_line *line);
struct measure_spread measure_excess_ns(const struct measure_line *line);

/* How busy the CPUs were: jiffies of /proc/stat. */
struct measure_busy {
    uint64_t busy;
    uint64_t all;
};
struct measure_busy measure_busy_now(void);
/* The share of all CPUs' time between the two, 0..1; 0 if it cannot be read. */
double measure_busy_share(struct measure_busy from, struct measure_busy to);

/* For people, and for scripts: one JSON object on one line. */
void measure_print_table(FILE *out, const struct measure_line *lines, uint32_t count,
                         double busy_share);
void measure_print_json(FILE *out, const struct measure_line *lines, uint32_t count,
                        double busy_share);

/* Pin the calling thread. Returns 0 or a negative errno. */
int measure_pin(int cpu);

/* Two CPUs that this thread may use; the same one twice where there is only one. */
void measure_two_cpus(int *ret_first, int *ret_second);

#endif
