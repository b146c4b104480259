/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reload_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int reload_plan_begin(struct reload_plan *plan, const struct daemon_options *options,
                      struct house *const *houses, size_t count)
{
    plan->options = options;
    plan->before = calloc(count + 1, sizeof(struct house *));
    if (!plan->before) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        plan->before[i] = houses[i];
        house_use(houses[i]);
    }
    plan->before_count = count;
    return 0;
}

static const struct house *find_before(const struct reload_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->before_count; i++) {
        if (strcmp(plan->before[i]->settings.name, name) == 0) {
            return plan->before[i];
        }
    }
    return NULL;
}

static bool is_fresh(const struct reload_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->fresh_count; i++) {
        if (plan->cells[i].name && strcmp(plan->cells[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int name_cells(struct reload_plan *plan)
{
    plan->cells =
        calloc(plan->fresh.cell_count + plan->before_count + 1, sizeof(struct reload_cell));
    if (!plan->cells) {
        return -ENOMEM;
    }
    for (; plan->cell_count < plan->fresh.cell_count; plan->cell_count++) {
        struct reload_cell *cell = &plan->cells[plan->cell_count];
        cell->name = strdup(plan->fresh.cells[plan->cell_count].name);
        if (!cell->name) {
            return -ENOMEM;
        }
    }
    plan->fresh_count = plan->cell_count;
    for (size_t i = 0; i < plan->before_count; i++) {
        const struct house *house = plan->before[i];
        struct reload_cell *cell = &plan->cells[plan->cell_count];
        if (is_fresh(plan, house->settings.name)) {
            continue;
        }
        *cell = (struct reload_cell){.change = RELOAD_REMOVED,
                                     .name = strdup(house->settings.name),
                                     .generation = house->generation};
        plan->cell_count++;
        if (!cell->name) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* The cell of these fresh settings: the one that is there if it is what they want, else a new one. */
static int open_cell(struct reload_plan *plan, size_t index)
{
    struct cell_settings *settings = &plan->fresh.cells[index];
    struct reload_cell *cell = &plan->cells[index];
    const struct house *before = find_before(plan, settings->name);
    if (before && cell_settings_equal(&before->settings, settings)) {
        cell->change = RELOAD_KEPT;
        cell->generation = before->generation;
        cell->house = (struct house *)(uintptr_t)before;
        return 0;
    }
    cell->change = before ? RELOAD_REPLACED : RELOAD_OPENED;
    cell->generation = before ? before->generation + 1 : 1;
    return house_open(settings, cell->generation, &cell->house, &plan->why);
}

void reload_plan_make(struct reload_plan *plan)
{
    int r = config_load(plan->options->config, &plan->fresh, &plan->findings);
    if (r != 0) {
        plan->result = message_set(&plan->why, r, "%s is refused, by %zu findings",
                                   plan->options->config, plan->findings.refusals);
        return;
    }
    r = daemon_options_apply(plan->options, &plan->fresh);
    r = r != 0 ? r : name_cells(plan);
    if (r != 0) {
        plan->result = message_set(&plan->why, r, "not enough memory");
        return;
    }
    for (size_t i = 0; i < plan->fresh_count && r == 0; i++) {
        r = open_cell(plan, i);
    }
    plan->result = r;
}

struct house **reload_plan_take(struct reload_plan *plan)
{
    struct house **houses = calloc(plan->fresh_count + 1, sizeof(struct house *));
    for (size_t i = 0; houses && i < plan->fresh_count; i++) {
        houses[i] = plan->cells[i].house;
        plan->cells[i].house = NULL;
    }
    return houses;
}

void reload_plan_leave(struct reload_plan *plan)
{
    for (size_t i = 0; i < plan->before_count; i++) {
        house_leave(plan->before[i]);
    }
    free(plan->before);
    plan->before = NULL;
    plan->before_count = 0;
}

void reload_plan_deinit(struct reload_plan *plan)
{
    for (size_t i = 0; i < plan->cell_count; i++) {
        struct reload_cell *cell = &plan->cells[i];
        if (cell->house && cell->change != RELOAD_KEPT) {
            house_free(cell->house);
        }
        free(cell->name);
    }
    free(plan->cells);
    findings_deinit(&plan->findings);
    settings_deinit(&plan->fresh);
}

static void put_text(struct json_out *out, const char *key, const char *text)
{
    json_out_key(out, key);
    json_out_sentence(out, text);
}

static void put_number(struct json_out *out, const char *key, uint64_t number)
{
    json_out_key(out, key);
    json_out_uint(out, number);
}

void reload_plan_write_cells(const struct reload_plan *plan, struct json_out *out)
{
    static const char *const changes[] = {"kept", "replaced", "opened", "removed"};
    json_out_array(out);
    for (size_t i = 0; i < plan->cell_count; i++) {
        json_out_object(out);
        put_text(out, "cell", plan->cells[i].name);
        put_text(out, "change", changes[plan->cells[i].change]);
        put_number(out, "generation", plan->cells[i].generation);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

void reload_plan_write_findings(const struct reload_plan *plan, struct json_out *out)
{
    json_out_array(out);
    for (size_t i = 0; i < plan->findings.count; i++) {
        const struct finding *finding = &plan->findings.list[i];
        json_out_object(out);
        put_text(out, "file", finding->file);
        put_number(out, "line", finding->line);
        put_number(out, "column", finding->column);
        put_text(out, "severity", finding_severity_name(finding->severity));
        put_text(out, "field", finding->field);
        put_text(out, "sentence", finding->sentence);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}
