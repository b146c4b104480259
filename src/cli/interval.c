/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/snapshot.h"
#include "cordon/outcome.h"

static const struct snapshot_figures nothing;

/* Counts are a daemon's claim: they may be anything. */
static uint64_t grown(uint64_t before, uint64_t now)
{
    return now > before ? now - before : 0;
}

uint64_t figures_failed(const struct snapshot_figures *figures)
{
    return grown(figures->ended[CORDON_DONE], figures->calls);
}

/* Calls of one bucket between, so bounded that no sum of them overflows. */
static uint64_t count_between(const struct snapshot_figures *a, const struct snapshot_figures *b,
                              size_t bucket)
{
    uint64_t count = grown(a->buckets[bucket], b->buckets[bucket]);
    return count < UINT64_C(1) << 46 ? count : UINT64_C(1) << 46;
}

/* The bound that @per_mille of the calls between did not exceed; 0: there were none. */
static uint64_t quantile_us(const struct snapshot *now, const struct snapshot_figures *a,
                            const struct snapshot_figures *b, uint64_t per_mille)
{
    uint64_t total = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < SNAPSHOT_BUCKETS; i++) {
        total += count_between(a, b, i);
    }
    uint64_t wanted = (total * per_mille + 999) / 1000;
    for (size_t i = 0; i < SNAPSHOT_BUCKETS && wanted > 0 && now->bound_count > 0; i++) {
        seen += count_between(a, b, i);
        if (seen >= wanted) {
            size_t bound = i < now->bound_count ? i : now->bound_count - 1;
            return (now->bounds_ns[bound] + 500) / 1000;
        }
    }
    return 0;
}

static double seconds_between(const struct snapshot *before, const struct snapshot *now)
{
    double seconds =
        before ? (double)(now->taken_ns - before->taken_ns) / 1e9 : (double)now->uptime_ms / 1e3;
    return seconds > 0.001 ? seconds : 0.001;
}

static struct interval interval_between(const struct snapshot *before, const struct snapshot *now,
                                        const struct snapshot_figures *a,
                                        const struct snapshot_figures *b)
{
    double seconds = seconds_between(before, now);
    uint64_t calls = grown(a->calls, b->calls);
    return (struct interval){
        .calls = calls,
        .calls_rate = (double)calls / seconds,
        .errors_rate = (double)grown(figures_failed(a), figures_failed(b)) / seconds,
        .p50_us = quantile_us(now, a, b, 500),
        .p99_us = quantile_us(now, a, b, 990),
    };
}

/* What @cell was in @before, if it is still the same one. */
static const struct snapshot_cell *same_cell(const struct snapshot *before,
                                             const struct snapshot *now,
                                             const struct snapshot_cell *cell)
{
    const struct snapshot_cell *then =
        before && before->pid == now->pid ? snapshot_find_cell(before, cell->name) : NULL;
    return then && then->generation == cell->generation ? then : NULL;
}

static const struct snapshot_figures *same_method(const struct snapshot_cell *then,
                                                  const struct snapshot_cell *cell,
                                                  const struct snapshot_method *method)
{
    size_t at = (size_t)(method - cell->methods);
    bool same = at < then->method_count && strcmp(then->methods[at].name, method->name) == 0;
    return same ? &then->methods[at].figures : &nothing;
}

struct interval interval_of(const struct snapshot *before, const struct snapshot *now,
                            const struct snapshot_cell *cell, const struct snapshot_method *method)
{
    const struct snapshot_cell *then = same_cell(before, now, cell);
    const struct snapshot_figures *a = !then    ? &nothing
                                       : method ? same_method(then, cell, method)
                                                : &then->figures;
    return interval_between(before, now, a, method ? &method->figures : &cell->figures);
}

struct interval interval_of_all(const struct snapshot *before, const struct snapshot *now)
{
    struct interval sum = {0};
    for (size_t i = 0; i < now->cell_count; i++) {
        struct interval one = interval_of(before, now, &now->cells[i], NULL);
        sum.calls += one.calls;
        sum.calls_rate += one.calls_rate;
        sum.errors_rate += one.errors_rate;
    }
    return sum;
}
