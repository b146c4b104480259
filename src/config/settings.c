/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

static void method_settings_deinit(struct method_settings *method)
{
    free(method->name);
    free(method->function);
    free(method->fixed);
    free(method->result);
}

void cell_settings_deinit(struct cell_settings *cell)
{
    struct cordon_cell_options *options = &cell->options;
    free(cell->name);
    free(cell->reason);
    free_text(options->library);
    free_text(options->interface_text);
    free_text(options->interface_name);
    free_text(options->reports);
    free_text(options->keeper_path);
    free_text(options->worker_path);
    for (const char *const *grant = options->grants; grant && *grant; grant++) {
        free_text(*grant);
    }
    free((void *)(uintptr_t)options->grants);
    for (size_t i = 0; i < cell->start_count; i++) {
        free(cell->starts[i].function);
        free(cell->starts[i].arguments);
    }
    free(cell->starts);
    for (size_t i = 0; i < cell->method_count; i++) {
        method_settings_deinit(&cell->methods[i]);
    }
    free(cell->methods);
    *cell = (struct cell_settings){0};
}

void settings_deinit(struct settings *settings)
{
    for (size_t i = 0; i < settings->cell_count; i++) {
        cell_settings_deinit(&settings->cells[i]);
    }
    free(settings->cells);
    free(settings->socket);
    free(settings->users);
    free(settings->groups);
    free(settings->http);
    *settings = (struct settings){0};
}

void settings_free(struct settings *settings)
{
    if (settings) {
        settings_deinit(settings);
        free(settings);
    }
}

/* ---- Comparing --------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_texts(const char *const *a, const char *const *b)
{
    if (!a || !b) {
        return (!a || !*a) && (!b || !*b);
    }
    while (*a && *b && strcmp(*a, *b) == 0) {
        a++;
        b++;
    }
    return !*a && !*b;
}

static bool same_numbers(const struct cordon_cell_options *a, const struct cordon_cell_options *b)
{
    return a->level == b->level && a->policy == b->policy && a->workers == b->workers &&
           a->sessions == b->sessions && a->deadline_ms == b->deadline_ms &&
           a->start_ms == b->start_ms && a->memory_bytes == b->memory_bytes &&
           a->call_bytes == b->call_bytes && a->arena_bytes == b->arena_bytes &&
           a->events == b->events && a->require == b->require && a->without == b->without &&
           a->require_mechanisms == b->require_mechanisms && a->spares == b->spares &&
           a->queue == b->queue && a->recycle_calls == b->recycle_calls &&
           a->recycle_ms == b->recycle_ms && a->recycle_bytes == b->recycle_bytes &&
           a->breaker_percent == b->breaker_percent &&
           a->function_breaker_percent == b->function_breaker_percent &&
           a->breaker_samples == b->breaker_samples &&
           a->breaker_window_ms == b->breaker_window_ms &&
           a->breaker_cool_down_ms == b->breaker_cool_down_ms &&
           a->breaker_probes == b->breaker_probes && a->reports_max == b->reports_max &&
           a->reports_bytes_max == b->reports_bytes_max && a->report_bytes == b->report_bytes &&
           a->on_violation == b->on_violation && a->cpu_ms == b->cpu_ms &&
           a->file_bytes == b->file_bytes && a->fds == b->fds && a->threads == b->threads &&
           a->record == b->record && a->record_bytes == b->record_bytes;
}

static bool same_options(const struct cordon_cell_options *a, const struct cordon_cell_options *b)
{
    return same_numbers(a, b) && same_text(a->library, b->library) &&
           same_text(a->interface_text, b->interface_text) &&
           same_text(a->interface_name, b->interface_name) && same_text(a->reports, b->reports) &&
           same_text(a->keeper_path, b->keeper_path) && same_text(a->worker_path, b->worker_path) &&
           same_texts(a->grants, b->grants);
}

static bool same_method(const struct method_settings *a, const struct method_settings *b)
{
    return same_text(a->name, b->name) && same_text(a->function, b->function) &&
           same_text(a->fixed, b->fixed) && same_text(a->result, b->result) &&
           a->encoding == b->encoding && a->pinned == b->pinned &&
           a->tells_errno == b->tells_errno && a->deadline_ms == b->deadline_ms;
}

static bool same_starts(const struct cell_settings *a, const struct cell_settings *b)
{
    bool equal = a->start_count == b->start_count;
    for (size_t i = 0; equal && i < a->start_count; i++) {
        equal = same_text(a->starts[i].function, b->starts[i].function) &&
                same_text(a->starts[i].arguments, b->starts[i].arguments);
    }
    return equal;
}

bool cell_settings_equal(const struct cell_settings *a, const struct cell_settings *b)
{
    bool equal = same_text(a->name, b->name) && a->workers == b->workers &&
                 a->client_sessions == b->client_sessions && a->leases == b->leases &&
                 a->lease_idle_ms == b->lease_idle_ms && a->queue == b->queue &&
                 a->every_function == b->every_function && same_options(&a->options, &b->options) &&
                 same_starts(a, b);
    size_t count = a->method_count - a->added_count;
    equal = equal && count == b->method_count - b->added_count;
    for (size_t i = 0; equal && i < count; i++) {
        equal = same_method(&a->methods[i], &b->methods[i]);
    }
    return equal;
}
