/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_RELOAD_PLAN_H
#define GATEWAY_RELOAD_PLAN_H

/*
 * Reload plan: a configuration that was read while another one is in force: which cells stay, which are new, what
 * else differs.
 *
 * Life: all zero; begun in the loop, made in the pool, taken in the loop, then deinit. What was opened and not taken is
 * closed, which blocks.
 */

#include "base/message.h"
#include "gateway/daemon.h"
#include "config/findings.h"
#include "gateway/house.h"
#include "json/json_out.h"

enum reload_change {
    RELOAD_KEPT,     /* its settings are equal: it goes on */
    RELOAD_REPLACED, /* another one of its name takes its place */
    RELOAD_OPENED,
    RELOAD_REMOVED,
};

struct reload_cell {
    enum reload_change change;
    char *name;
    uint32_t generation; /* of the one that is there afterwards; of the one that goes */
    struct house *house; /* the same; NULL: taken, or removed */
};

struct reload_plan {
    const struct daemon_options *options;
    struct house **before; /* used by the plan, so that they stay */
    size_t before_count;
    struct settings fresh;
    struct findings findings;
    struct reload_cell *cells; /* the fresh ones, then those that go */
    size_t cell_count;
    size_t fresh_count;
    int result; /* 0: it can come into force */
    struct message why;
};

/* In the loop. Returns 0, -ENOMEM. */
int reload_plan_begin(struct reload_plan *plan, const struct daemon_options *options,
                      struct house *const *houses, size_t count);

/* In the pool: read, judge, open. The outcome is in plan->result and plan->why. */
void reload_plan_make(struct reload_plan *plan);

/* The houses as they are to be, in an array from malloc(), both the caller's from now on; NULL: no memory. */
struct house **reload_plan_take(struct reload_plan *plan);

/* In the loop: houses that were there are used no more. */
void reload_plan_leave(struct reload_plan *plan);

/* In the pool, unless everything was taken. */
void reload_plan_deinit(struct reload_plan *plan);

/* [{"cell":...,"change":...,"generation":...},...] and [{"file":...},...], each a value. */
void reload_plan_write_cells(const struct reload_plan *plan, struct json_out *out);
void reload_plan_write_findings(const struct reload_plan *plan, struct json_out *out);

#endif
