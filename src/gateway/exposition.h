/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_EXPOSITION_H
#define GATEWAY_EXPOSITION_H

/*
 * Exposition: metrics as Prometheus reads them, in its text form 0.0.4 or as OpenMetrics 1.0.0, which differ in what
 * a counter's family is called, and in the end.
 *
 *     exposition_family(&x, EXPOSITION_GAUGE, "cordon_cell_queue", "Requests that wait for a worker.");
 *     exposition_labels(&x, (struct exposition_label[]){{"cell", "zlib"}}, 1);
 *     exposition_sample(&x, NULL, 3);
 *
 * Names and help are our own words; values of labels are anybody's: escaped, cut, and what is no UTF-8 is '?'.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/json_out.h"

#define EXPOSITION_VALUE_BYTES  256u /* of a label, before it is escaped */
#define EXPOSITION_LABELS_BYTES 2048u

struct exposition {
    struct json_out *out;
    bool is_openmetrics;
    const char *name; /* of the family that is being written; counters without "_total" */
    const char *suffix;
    char labels[EXPOSITION_LABELS_BYTES]; /* cell="zlib",method="crc32" */
    size_t labels_length;
};

enum exposition_kind {
    EXPOSITION_GAUGE,
    EXPOSITION_COUNTER,
    EXPOSITION_HISTOGRAM,
    EXPOSITION_INFO,
};

struct exposition_label {
    const char *name;
    const char *value;
};

/* @name: without "_total" and "_info". Borrowed until the next one. No labels from here on. */
void exposition_family(struct exposition *x, enum exposition_kind kind, const char *name,
                       const char *help);

/* Of all samples from here on; at most 4. */
void exposition_labels(struct exposition *x, const struct exposition_label *labels, size_t count);

/* @last: one more label; NULL: none. */
void exposition_sample(struct exposition *x, const struct exposition_label *last, uint64_t value);
void exposition_sample_real(struct exposition *x, const struct exposition_label *last,
                            double value);

/* Of a histogram: a bucket's count with all below it, @le its bound as text; the sum. */
void exposition_bucket(struct exposition *x, const char *le, uint64_t below);
void exposition_sum(struct exposition *x, double sum, uint64_t count);

/* Nothing follows. */
void exposition_end(struct exposition *x);

#endif
