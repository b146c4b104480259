/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

/*
 * Rig: what all questions of `cordon bench` share - the CPUs, how often, the lines of the answer.
 * One question per file bench_*.c; each leaves threads and affinity as it found them.
 */

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "cordon/cordon.h"
#include "measure.h"

#define RIG_LINES_MAX 80u

/* One line of the answer. */
struct rig_line {
    char name[32];
    char floor_text[96]; /* what it is held against */
    const char *unit;    /* of value and floor: "ns", "KiB", "us/min" */
    double value;
    double floor;
    double ratio; /* median of the ratios, round by round */
    double mark;  /* most that the ratio may be; 0: only reported */
};

struct rig {
    struct cordon_cell_options cell; /* paths of the programs, if given */
    cpu_set_t cpus;                  /* those that this process may use */
    int host_cpu;
    int worker_cpu; /* the same one where there is only one */
    uint32_t rounds;
    const char *empty_program; /* for posix_spawn */
    struct rig_line lines[RIG_LINES_MAX];
    uint32_t line_count;
    struct cordon_error error; /* why a question could not be asked */
};

void rig_init(struct rig *rig, bool quick, const char *empty_program);

/* Report @line, held against the median of its floors. @floor_text  "ping-pong + 1.5 x ffi_call". */
void rig_report(struct rig *rig, const struct measure_line *line, const char *floor_text);
/* Report a number of another kind; ratio is value / floor. */
void rig_report_value(struct rig *rig, const char *name, const char *unit, double value,
                      double floor, double mark, const char *floor_text);

/* Refuse to answer: the sentence for rig->error. Returns @error. */
int rig_fail(struct rig *rig, int error, const char *what);

/* The calling thread anywhere again. */
void rig_unpin(const struct rig *rig);

/* A library in isolation with one function bound. */
struct rig_subject {
    struct cordon_cell *cell;
    struct cordon_function *function;
    struct cordon_session *session; /* borrowed: the one that this thread's calls use */
};

/*
 * @arena_bytes, @workers, @sessions  0: the default.
 * @worker_cpu  where its worker runs; -1: anywhere.
 * Returns 0 or a negative errno, sentence in rig->error.
 */
struct rig_wish {
    const char *library;
    const char *prototype;
    uint64_t arena_bytes;
    uint32_t sessions;
    int worker_cpu;
};
int rig_subject_open(struct rig *rig, const struct rig_wish *wish, struct rig_subject *ret_subject);
void rig_subject_close(struct rig_subject *subject);

/* Let all threads of the worker run on @cpu only; -1: anywhere. */
int rig_pin_worker(const struct rig *rig, struct cordon_session *session, int cpu);

/* A call that cannot fail once it has worked: ends the program otherwise. */
void rig_call(struct cordon_function *function, const struct cordon_value *args, size_t count);

/* The call itself beside the round trip: 1.5 x ffi_call + one reading of the clock. context: unused. */
double rig_call_floor_round(void *context);

/* The questions. Each returns 0 or a negative errno, sentence in rig->error. */
struct rig_question {
    const char *name;
    const char *text;
    int (*ask)(struct rig *rig);
};
/* Ended by a NULL name. */
extern const struct rig_question rig_questions[];

int bench_add(struct rig *rig);
int bench_batch(struct rig *rig);
int bench_crc32_1k(struct rig *rig);
int bench_crc32_1m_arena(struct rig *rig);
int bench_crc32_1m_copied(struct rig *rig);
int bench_parked(struct rig *rig);
int bench_one_cpu(struct rig *rig);
int bench_spaced(struct rig *rig);
int bench_crowded(struct rig *rig);
int bench_open(struct rig *rig);
int bench_memory(struct rig *rig);
int bench_idle(struct rig *rig);
int bench_recovery(struct rig *rig);
int bench_gateway(struct rig *rig);
int bench_python(struct rig *rig);

#endif
