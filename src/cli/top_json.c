/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_json.h"

#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/output.h"
#include "json/json_out.h"

#define RATE_MAX 1e15 /* counts are a daemon's claim */

static void put_text(struct json_out *out, const char *key, const char *text)
{
    json_out_key(out, key);
    json_out_text_bytes(out, text, strlen(text));
}

static void put_uint(struct json_out *out, const char *key, uint64_t value)
{
    json_out_key(out, key);
    json_out_uint(out, value);
}

/* Thousandths are as many as anybody reads. */
static void put_rate(struct json_out *out, const char *key, double rate)
{
    json_out_key(out, key);
    double bounded = rate < RATE_MAX ? rate : RATE_MAX;
    json_out_double(out, (double)(uint64_t)(bounded * 1000 + 0.5) / 1000);
}

static void put_interval(struct json_out *out, const struct interval *interval)
{
    put_uint(out, "calls", interval->calls);
    put_rate(out, "calls_per_s", interval->calls_rate);
    put_rate(out, "errors_per_s", interval->errors_rate);
    put_uint(out, "p50_us", interval->p50_us);
    put_uint(out, "p99_us", interval->p99_us);
}

static void put_workers(struct json_out *out, const struct snapshot_cell *cell)
{
    json_out_key(out, "workers");
    json_out_array(out);
    for (size_t i = 0; i < cell->worker_count; i++) {
        const struct snapshot_worker *worker = &cell->workers[i];
        json_out_object(out);
        put_text(out, "state", worker->state);
        put_uint(out, "pid", worker->pid);
        put_uint(out, "in_flight", worker->in_flight);
        put_uint(out, "memory_bytes", worker->memory_bytes);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void put_methods(struct json_out *out, const struct source *source,
                        const struct snapshot_cell *cell)
{
    json_out_key(out, "methods");
    json_out_array(out);
    for (size_t i = 0; i < cell->method_count; i++) {
        struct interval interval =
            interval_of(source->before, source->now, cell, &cell->methods[i]);
        if (interval.calls > 0) {
            json_out_object(out);
            put_text(out, "method", cell->methods[i].name);
            put_interval(out, &interval);
            json_out_object_end(out);
        }
    }
    json_out_array_end(out);
}

static void put_cell(struct json_out *out, const struct source *source,
                     const struct snapshot_cell *cell)
{
    struct interval interval = interval_of(source->before, source->now, cell, NULL);
    json_out_object(out);
    put_text(out, "cell", cell->name);
    put_text(out, "state", cell->state);
    put_interval(out, &interval);
    put_uint(out, "in_flight", cell->in_flight);
    put_uint(out, "queue", cell->queue);
    put_uint(out, "memory_bytes", cell->memory_bytes);
    put_text(out, "breaker", cell->breaker);
    put_uint(out, "restarts", cell->restarts);
    json_out_key(out, "last_report");
    if (*cell->last_report) {
        json_out_string(out, cell->last_report);
    } else {
        json_out_null(out);
    }
    put_workers(out, cell);
    put_methods(out, source, cell);
    json_out_object_end(out);
}

int top_json_print(const struct source *source)
{
    const struct snapshot *now = source->now;
    struct interval all = interval_of_all(source->before, now);
    struct json_out out = {0};
    char time_text[40];
    time_t seconds = time(NULL);
    struct tm utc;
    (void)gmtime_r(&seconds, &utc);
    (void)strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_out_object(&out);
    put_text(&out, "time", time_text);
    put_uint(&out, "pid", now->pid);
    put_uint(&out, "uptime_ms", now->uptime_ms);
    put_uint(&out, "interval_ms", (now->taken_ns - source->before->taken_ns + 500000) / 1000000);
    put_uint(&out, "clients", now->clients);
    put_rate(&out, "calls_per_s", all.calls_rate);
    put_rate(&out, "errors_per_s", all.errors_rate);
    put_uint(&out, "memory_bytes", now->memory_bytes);
    json_out_key(&out, "cells");
    json_out_array(&out);
    for (size_t i = 0; i < now->cell_count; i++) {
        put_cell(&out, source, &now->cells[i]);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    const char *text = json_out_text(&out);
    int r = text ? output_format("%s\n", text) : command_fail(EXIT_COULD_NOT, "not enough memory");
    json_out_deinit(&out);
    return r;
}
