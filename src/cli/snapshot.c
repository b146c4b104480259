/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/plain.h"
#include "cordon/outcome.h"

/* No daemon has more; a hostile one shall not fill our memory. */
#define CELLS_MAX   4096u
#define METHODS_MAX 32768u /* of all cells */
#define WORKERS_MAX 65536u

struct budget {
    size_t methods;
    size_t workers;
};

static uint64_t number_of(struct json_value object, const char *key)
{
    struct json_value value = json_value_get(object, key);
    switch (json_value_kind(value)) {
    case JSON_KIND_UINT:
        return json_value_uint(value);
    case JSON_KIND_INT:
        return json_value_int(value) > 0 ? (uint64_t)json_value_int(value) : 0;
    default:
        return 0;
    }
}

static void text_of(struct json_value object, const char *key, char *text, size_t room)
{
    struct json_value value = json_value_get(object, key);
    size_t length = 0;
    const char *foreign =
        json_value_kind(value) == JSON_KIND_STRING ? json_value_string(value, &length) : "";
    (void)plain_copy(text, room, foreign, length);
}

/* An array's numbers, those that fit. */
static size_t take_numbers(struct json_value array, uint64_t *numbers, size_t room)
{
    struct json_walk walk = json_walk(array);
    struct json_value element;
    size_t count = 0;
    while (count < room && json_walk_next(&walk, &element)) {
        enum json_kind kind = json_value_kind(element);
        int64_t small = kind == JSON_KIND_INT ? json_value_int(element) : 0;
        numbers[count++] = kind == JSON_KIND_UINT ? json_value_uint(element)
                           : small > 0            ? (uint64_t)small
                                                  : 0;
    }
    return count;
}

static void take_figures(struct json_value object, struct snapshot_figures *figures)
{
    struct json_value ended = json_value_get(object, "ended");
    figures->calls = number_of(object, "calls");
    figures->errors = number_of(object, "errors");
    figures->average_us = number_of(object, "average_us");
    figures->p50_us = number_of(object, "p50_us");
    figures->p99_us = number_of(object, "p99_us");
    for (int i = 0; i < (int)SNAPSHOT_OUTCOMES; i++) {
        figures->ended[i] = number_of(ended, cordon_outcome_name(i));
    }
    (void)take_numbers(json_value_get(object, "buckets"), figures->buckets, SNAPSHOT_BUCKETS);
}

static int take_methods(struct json_value array, struct snapshot_cell *cell, struct budget *budget,
                        struct message *why)
{
    struct json_walk walk = json_walk(array);
    struct json_value element;
    size_t count = json_value_kind(array) == JSON_KIND_ARRAY ? json_value_count(array) : 0;
    if (count > budget->methods) {
        return message_set(why, -EBADMSG, "cordon.stats tells of more than %u methods",
                           METHODS_MAX);
    }
    budget->methods -= count;
    cell->methods = calloc(count + 1, sizeof *cell->methods);
    while (cell->methods && cell->method_count < count && json_walk_next(&walk, &element)) {
        struct snapshot_method *method = &cell->methods[cell->method_count++];
        text_of(element, "method", method->name, sizeof method->name);
        take_figures(element, &method->figures);
    }
    return cell->methods ? 0 : message_set(why, -ENOMEM, "not enough memory");
}

static int take_workers(struct json_value array, struct snapshot_cell *cell, struct budget *budget,
                        struct message *why)
{
    struct json_walk walk = json_walk(array);
    struct json_value element;
    size_t count = json_value_kind(array) == JSON_KIND_ARRAY ? json_value_count(array) : 0;
    if (count > budget->workers) {
        return message_set(why, -EBADMSG, "cordon.stats tells of more than %u workers",
                           WORKERS_MAX);
    }
    budget->workers -= count;
    cell->workers = calloc(count + 1, sizeof *cell->workers);
    while (cell->workers && cell->worker_count < count && json_walk_next(&walk, &element)) {
        struct snapshot_worker *worker = &cell->workers[cell->worker_count++];
        text_of(element, "state", worker->state, sizeof worker->state);
        worker->pid = number_of(element, "pid");
        worker->in_flight = number_of(element, "in_flight");
        worker->memory_bytes = number_of(element, "memory_bytes");
        worker->client_pid = number_of(element, "client_pid");
    }
    return cell->workers ? 0 : message_set(why, -ENOMEM, "not enough memory");
}

static int take_cell(struct json_value object, struct snapshot_cell *cell, struct budget *budget,
                     struct message *why)
{
    struct json_value end = json_value_get(object, "last_end");
    text_of(object, "cell", cell->name, sizeof cell->name);
    text_of(object, "library", cell->library, sizeof cell->library);
    text_of(object, "level", cell->level, sizeof cell->level);
    text_of(object, "state", cell->state, sizeof cell->state);
    text_of(object, "breaker", cell->breaker, sizeof cell->breaker);
    text_of(object, "last_report", cell->last_report, sizeof cell->last_report);
    text_of(end, "outcome", cell->last_outcome, sizeof cell->last_outcome);
    text_of(end, "method", cell->last_method, sizeof cell->last_method);
    cell->last_ago_ms = number_of(end, "ago_ms");
    cell->generation = number_of(object, "generation");
    cell->in_flight = number_of(object, "in_flight");
    cell->queue = number_of(object, "queue");
    cell->memory_bytes = number_of(object, "memory_bytes");
    cell->breakers_open = number_of(object, "breakers_open");
    cell->breaker_opened = number_of(object, "breaker_opened");
    cell->restarts = number_of(object, "restarts");
    cell->crashes = number_of(object, "crashes");
    cell->timeouts = number_of(object, "timeouts");
    cell->recycled = number_of(object, "recycled");
    cell->starts_failed = number_of(object, "starts_failed");
    cell->spares = number_of(object, "spares");
    take_figures(object, &cell->figures);
    int r = take_workers(json_value_get(object, "workers"), cell, budget, why);
    return r != 0 ? r : take_methods(json_value_get(object, "methods"), cell, budget, why);
}

static int take_cells(struct json_value array, struct snapshot *snapshot, struct message *why)
{
    struct budget budget = {.methods = METHODS_MAX, .workers = WORKERS_MAX};
    struct json_walk walk = json_walk(array);
    struct json_value element;
    size_t count = json_value_count(array);
    if (count > CELLS_MAX) {
        return message_set(why, -EBADMSG, "cordon.stats tells of more than %u cells", CELLS_MAX);
    }
    snapshot->cells = calloc(count + 1, sizeof *snapshot->cells);
    int r = snapshot->cells ? 0 : message_set(why, -ENOMEM, "not enough memory");
    while (r == 0 && snapshot->cell_count < count && json_walk_next(&walk, &element)) {
        r = take_cell(element, &snapshot->cells[snapshot->cell_count++], &budget, why);
    }
    return r;
}

int snapshot_take(struct json_value result, struct snapshot **ret_snapshot, struct message *why)
{
    struct json_value cells = json_value_get(result, "cells");
    if (json_value_kind(cells) != JSON_KIND_ARRAY) {
        return message_set(why, -EBADMSG, "the daemon's answer is no answer to cordon.stats");
    }
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot) {
        return message_set(why, -ENOMEM, "not enough memory");
    }
    snapshot->taken_ns = clock_now_ns();
    text_of(result, "version", snapshot->version, sizeof snapshot->version);
    snapshot->pid = number_of(result, "pid");
    snapshot->uptime_ms = number_of(result, "uptime_ms");
    snapshot->clients = number_of(result, "clients");
    snapshot->in_flight = number_of(result, "requests_in_flight");
    snapshot->refused = number_of(result, "requests_refused");
    snapshot->memory_bytes = number_of(result, "memory_bytes");
    snapshot->draining = json_value_count(json_value_get(result, "draining"));
    snapshot->bound_count = take_numbers(json_value_get(result, "bucket_bounds_ns"),
                                         snapshot->bounds_ns, SNAPSHOT_BUCKETS);
    int r = take_cells(cells, snapshot, why);
    if (r != 0) {
        snapshot_free(snapshot);
        return r;
    }
    *ret_snapshot = snapshot;
    return 0;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (!snapshot) {
        return;
    }
    for (size_t i = 0; i < snapshot->cell_count; i++) {
        free(snapshot->cells[i].workers);
        free(snapshot->cells[i].methods);
    }
    free(snapshot->cells);
    free(snapshot);
}

struct snapshot_cell *snapshot_find_cell(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->cell_count; i++) {
        if (strcmp(snapshot->cells[i].name, name) == 0) {
            return &snapshot->cells[i];
        }
    }
    return NULL;
}
