/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

int measure_alternate(struct measure_series *series, uint32_t count, uint32_t rounds)
{
    for (uint32_t i = 0; i < count; i++) {
        free(series[i].samples_ns);
        series[i].rounds = rounds;
        series[i].samples_ns = calloc(rounds, sizeof series[i].samples_ns[0]);
        if (series[i].samples_ns == NULL) {
            return -ENOMEM;
        }
        (void)series[i].round(series[i].context);
    }
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < count; i++) {
            series[i].samples_ns[round] = series[i].round(series[i].context);
        }
    }
    return 0;
}

void measure_series_deinit(struct measure_series *series, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        free(series[i].samples_ns);
        series[i].samples_ns = NULL;
    }
}

static int compare(const void *a, const void *b)
{
    const double *left = a;
    const double *right = b;
    return (*left > *right) - (*left < *right);
}

/* Takes @values, owned, and frees them. */
static struct measure_spread spread_of(double *values, uint32_t count)
{
    qsort(values, count, sizeof values[0], compare);
    double median =
        count % 2 != 0 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
    struct measure_spread spread = {.median = median, .min = values[0], .max = values[count - 1]};
    free(values);
    return spread;
}

static double *new_values(uint32_t count)
{
    assert(count > 0);
    double *values = calloc(count, sizeof values[0]);
    if (values == NULL) {
        abort();
    }
    return values;
}

struct measure_spread measure_spread(const double *values, uint32_t count)
{
    double *sorted = new_values(count);
    memcpy(sorted, values, count * sizeof values[0]);
    return spread_of(sorted, count);
}

static double floor_of(const struct measure_line *line, uint32_t round)
{
    double sum = 0;
    for (uint32_t i = 0; i < line->floor_terms; i++) {
        sum += line->floor[i].weight * line->floor[i].series->samples_ns[round];
    }
    return sum;
}

static struct measure_spread floor_spread(const struct measure_line *line)
{
    double *values = new_values(line->subject->rounds);
    for (uint32_t round = 0; round < line->subject->rounds; round++) {
        values[round] = floor_of(line, round);
    }
    return spread_of(values, line->subject->rounds);
}

struct measure_spread measure_ratio(const struct measure_line *line)
{
    double *values = new_values(line->subject->rounds);
    for (uint32_t round = 0; round < line->subject->rounds; round++) {
        values[round] = line->subject->samples_ns[round] / floor_of(line, round);
    }
    return spread_of(values, line->subject->rounds);
}

struct measure_spread measure_excess_ns(const struct measure_line *line)
{
    double *values = new_values(line->subject->rounds);
    for (uint32_t round = 0; round < line->subject->rounds; round++) {
        values[round] = line->subject->samples_ns[round] - floor_of(line, round);
    }
    return spread_of(values, line->subject->rounds);
}

struct measure_busy measure_busy_now(void)
{
    struct measure_busy now = {0};
    FILE *stat = fopen("/proc/stat", "re");
    if (stat == NULL) {
        return now;
    }
    /* user nice system idle iowait irq softirq steal */
    uint64_t field[8] = {0};
    int got = fscanf(stat,
                     "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                     " %" SCNu64 " %" SCNu64,
                     &field[0], &field[1], &field[2], &field[3], &field[4], &field[5], &field[6],
                     &field[7]);
    (void)fclose(stat);
    for (int i = 0; i < got; i++) {
        now.all += field[i];
    }
    now.busy = now.all - field[3] - field[4];
    return now;
}

double measure_busy_share(struct measure_busy from, struct measure_busy to)
{
    return to.all > from.all ? (double)(to.busy - from.busy) / (double)(to.all - from.all) : 0;
}

static void floor_name(char *text, size_t text_bytes, const struct measure_line *line)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < line->floor_terms && used < text_bytes; i++) {
        const struct measure_term *term = &line->floor[i];
        const char *plus = i == 0 ? "" : " + ";
        int wrote = term->weight == 1
                        ? snprintf(text + used, text_bytes - used, "%s%s", plus, term->series->name)
                        : snprintf(text + used, text_bytes - used, "%s%g x %s", plus, term->weight,
                                   term->series->name);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

void measure_print_table(FILE *out, const struct measure_line *lines, uint32_t count,
                         double busy_share)
{
    (void)fprintf(out, "%-28s %10s %10s %7s %13s %6s  %s\n", "what", "ns", "floor ns", "ratio",
                  "min-max", "mark", "floor");
    for (uint32_t i = 0; i < count; i++) {
        const struct measure_line *line = &lines[i];
        struct measure_spread subject =
            measure_spread(line->subject->samples_ns, line->subject->rounds);
        struct measure_spread ratio = measure_ratio(line);
        char name[160];
        char mark[16] = "-";
        floor_name(name, sizeof name, line);
        if (line->mark > 0) {
            (void)snprintf(mark, sizeof mark, "%.2f", line->mark);
        }
        (void)fprintf(out, "%-28s %10.1f %10.1f %7.2f %6.2f-%6.2f %6s  %s\n", line->subject->name,
                      subject.median, floor_spread(line).median, ratio.median, ratio.min, ratio.max,
                      mark, name);
    }
    (void)fprintf(out, "CPUs busy: %.0f %%\n", 100 * busy_share);
}

static void json_spread(FILE *out, const char *name, struct measure_spread spread)
{
    (void)fprintf(out, "\"%s\":{\"median\":%.3f,\"min\":%.3f,\"max\":%.3f}", name, spread.median,
                  spread.min, spread.max);
}

void measure_print_json(FILE *out, const struct measure_line *lines, uint32_t count,
                        double busy_share)
{
    (void)fprintf(out, "{\"busy\":%.3f,\"lines\":[", busy_share);
    for (uint32_t i = 0; i < count; i++) {
        const struct measure_line *line = &lines[i];
        char name[160];
        floor_name(name, sizeof name, line);
        /* Names are ours: nothing to escape. */
        (void)fprintf(
            out, "%s{\"what\":\"%s\",\"floor\":\"%s\",\"rounds\":%" PRIu32 ",\"mark\":%g,",
            i == 0 ? "" : ",", line->subject->name, name, line->subject->rounds, line->mark);
        json_spread(out, "ns", measure_spread(line->subject->samples_ns, line->subject->rounds));
        (void)fputc(',', out);
        json_spread(out, "floor_ns", floor_spread(line));
        (void)fputc(',', out);
        json_spread(out, "ratio", measure_ratio(line));
        (void)fputc('}', out);
    }
    (void)fprintf(out, "]}\n");
}

int measure_pin(int cpu)
{
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    return sched_setaffinity(0, sizeof only, &only) < 0 ? -errno : 0;
}

void measure_two_cpus(int *ret_first, int *ret_second)
{
    cpu_set_t allowed;
    int found[2] = {0, 0};
    int count = 0;
    CPU_ZERO(&allowed);
    (void)sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE && count < 2; cpu++) {
        if (CPU_ISSET(cpu, &allowed)) {
            found[count++] = cpu;
        }
    }
    *ret_first = found[0];
    *ret_second = count == 2 ? found[1] : found[0];
}
