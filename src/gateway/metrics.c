/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/stats.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cordon/outcome.h"
#include "gateway/gateway.h"
#include "gateway/seat.h"

#define LABEL_BYTES 512u

static void line(struct json_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void line(struct json_out *out, const char *format, ...)
{
    char text[2 * LABEL_BYTES + 256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *place =
        length > 0 && (size_t)length < sizeof text ? json_out_raw(out, (size_t)length) : NULL;
    if (place) {
        memcpy(place, text, (size_t)length);
    }
}

static void head(struct json_out *out, const char *name, const char *type, const char *help)
{
    line(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* As a label's value: backslash, quote and line end escaped. */
static const char *label(const char *value, char *text)
{
    size_t at = 0;
    for (; *value && at < LABEL_BYTES - 3; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n') {
            text[at++] = '\\';
        }
        text[at++] = *value == '\n' ? 'n' : *value;
    }
    text[at] = '\0';
    return text;
}

/* One sample of each cell. */
static void per_cell(const struct gateway *gateway, struct json_out *out, const char *name,
                     const char *type, const char *help, double (*value)(const struct house *house))
{
    char cell[LABEL_BYTES];
    head(out, name, type, help);
    for (size_t i = 0; i < gateway->house_count; i++) {
        line(out, "%s{cell=\"%s\"} %.17g\n", name, label(gateway->houses[i]->settings.name, cell),
             value(gateway->houses[i]));
    }
}

static double in_flight(const struct house *house)
{
    return house->in_flight;
}

static double waiting(const struct house *house)
{
    return house->waiting;
}

static double ready(const struct house *house)
{
    double count = 0;
    for (uint32_t i = 0; i < house->settings.workers; i++) {
        count += house->seats[i]->state == SEAT_READY;
    }
    return count;
}

static double client_workers(const struct house *house)
{
    return house->own_seats;
}

static double generation(const struct house *house)
{
    return house->generation;
}

static struct cordon_cell_stats stats_of(const struct house *house)
{
    struct cordon_cell_stats stats;
    cordon_cell_stats(house->cell, &stats);
    return stats;
}

static double breaker(const struct house *house)
{
    return stats_of(house).breaker;
}

static double crashes(const struct house *house)
{
    return (double)stats_of(house).crashes;
}

static double timeouts(const struct house *house)
{
    return (double)stats_of(house).timeouts;
}

static double recycled(const struct house *house)
{
    return (double)stats_of(house).recycled;
}

static double started(const struct house *house)
{
    return (double)stats_of(house).started;
}

static double starts_failed(const struct house *house)
{
    return (double)stats_of(house).starts_failed;
}

static void write_ended(const struct gateway *gateway, struct json_out *out)
{
    char cell[LABEL_BYTES];
    char name[LABEL_BYTES];
    head(out, "cordon_calls_total", "counter", "Calls that ended, by how they ended.");
    for (size_t i = 0; i < gateway->house_count; i++) {
        const struct house *house = gateway->houses[i];
        for (size_t j = 0; j < house->method_count; j++) {
            const struct method *method = &house->methods[j];
            (void)label(house->settings.name, cell);
            (void)label(method->settings.name, name);
            for (int k = 0; k < (int)TALLY_OUTCOMES; k++) {
                line(out, "cordon_calls_total{cell=\"%s\",method=\"%s\",outcome=\"%s\"} %llu\n",
                     cell, name, cordon_outcome_name(k),
                     (unsigned long long)method->tally.ended[k]);
            }
            line(out, "cordon_calls_total{cell=\"%s\",method=\"%s\",outcome=\"error\"} %llu\n",
                 cell, name, (unsigned long long)method->tally.errors);
        }
    }
}

/* An octave in two: 1 us, 1.4 us, 2 us, ...: every second bucket of a tally. */
static void write_histogram(const struct tally *tally, const char *cell, const char *name,
                            struct json_out *out)
{
    uint64_t below = 0;
    for (uint32_t i = 0; i < TALLY_BUCKETS - 1; i++) {
        below += tally->buckets[i];
        if (i % 2 == 0) {
            line(out, "cordon_call_seconds_bucket{cell=\"%s\",method=\"%s\",le=\"%.9g\"} %llu\n",
                 cell, name, (double)tally_bucket_ns(i) / 1e9, (unsigned long long)below);
        }
    }
    line(out, "cordon_call_seconds_bucket{cell=\"%s\",method=\"%s\",le=\"+Inf\"} %llu\n", cell,
         name, (unsigned long long)tally->count);
    line(out, "cordon_call_seconds_sum{cell=\"%s\",method=\"%s\"} %.9f\n", cell, name,
         (double)tally->sum_ns / 1e9);
    line(out, "cordon_call_seconds_count{cell=\"%s\",method=\"%s\"} %llu\n", cell, name,
         (unsigned long long)tally->count);
}

static void write_times(const struct gateway *gateway, struct json_out *out)
{
    char cell[LABEL_BYTES];
    char name[LABEL_BYTES];
    head(out, "cordon_call_seconds", "histogram", "Time from a request to its answer.");
    for (size_t i = 0; i < gateway->house_count; i++) {
        const struct house *house = gateway->houses[i];
        for (size_t j = 0; j < house->method_count; j++) {
            if (house->methods[j].tally.count > 0) {
                write_histogram(&house->methods[j].tally, label(house->settings.name, cell),
                                label(house->methods[j].settings.name, name), out);
            }
        }
    }
}

void stats_write_metrics(const struct gateway *gateway, struct json_out *out)
{
    head(out, "cordon_info", "gauge", "The daemon's version.");
    line(out, "cordon_info{version=\"%s\"} 1\n", CORDON_VERSION);
    head(out, "cordon_uptime_seconds", "gauge", "Since the daemon was started.");
    line(out, "cordon_uptime_seconds %.3f\n", (double)(clock_now_ns() - gateway->started_ns) / 1e9);
    head(out, "cordon_clients", "gauge", "Connected clients.");
    line(out, "cordon_clients %u\n", gateway->client_count);
    head(out, "cordon_clients_accepted_total", "counter", "Clients that ever connected.");
    line(out, "cordon_clients_accepted_total %llu\n", (unsigned long long)gateway->accepted);
    head(out, "cordon_requests_in_flight", "gauge", "Requests that are not answered yet.");
    line(out, "cordon_requests_in_flight %u\n", gateway->in_flight);
    head(out, "cordon_requests_refused_total", "counter", "Requests that came to no method.");
    line(out, "cordon_requests_refused_total %llu\n", (unsigned long long)gateway->refused);
    per_cell(gateway, out, "cordon_cell_in_flight", "gauge", "Calls given to workers.", in_flight);
    per_cell(gateway, out, "cordon_cell_queue", "gauge", "Requests that wait for a worker.",
             waiting);
    per_cell(gateway, out, "cordon_cell_workers_ready", "gauge", "Shared workers that serve.",
             ready);
    per_cell(gateway, out, "cordon_cell_client_workers", "gauge", "Workers of single clients.",
             client_workers);
    per_cell(gateway, out, "cordon_cell_generation", "gauge", "Counts the cell's replacements.",
             generation);
    per_cell(gateway, out, "cordon_cell_breaker", "gauge", "0 closed, 1 open, 2 half-open.",
             breaker);
    per_cell(gateway, out, "cordon_cell_crashes_total", "counter", "Workers that crashed.",
             crashes);
    per_cell(gateway, out, "cordon_cell_timeouts_total", "counter", "Workers ended by a deadline.",
             timeouts);
    per_cell(gateway, out, "cordon_cell_recycled_total", "counter",
             "Workers replaced for their age.", recycled);
    per_cell(gateway, out, "cordon_cell_started_total", "counter", "Workers put to work.", started);
    per_cell(gateway, out, "cordon_cell_starts_failed_total", "counter",
             "Workers that never came to serve.", starts_failed);
    write_ended(gateway, out);
    write_times(gateway, out);
}
