/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/settings.h"

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
    for (size_t i = 0; i < cell->method_count; i++) {
        method_settings_deinit(&cell->methods[i]);
    }
    free(cell->methods);
    *cell = (struct cell_settings){0};
}

void settings_free(struct settings *settings)
{
    if (!settings) {
        return;
    }
    for (size_t i = 0; i < settings->cell_count; i++) {
        cell_settings_deinit(&settings->cells[i]);
    }
    free(settings->cells);
    free(settings->socket);
    free(settings->users);
    free(settings->groups);
    free(settings->http);
    free(settings);
}
