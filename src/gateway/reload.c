/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/access.h"
#include "gateway/connection.h"
#include "gateway/daemon_parts.h"
#include "gateway/http.h"
#include "gateway/log.h"
#include "gateway/reload_plan.h"
#include "gateway/request.h"
#include "config/settings_changes.h"

struct reload {
    struct daemon *daemon;
    uv_work_t work;
    bool running;
    bool again;              /* asked for since it began */
    struct request *asking;  /* answered when this one is done */
    struct request *waiting; /* by the next one */
    uint64_t count;          /* that came into force */
    struct reload_plan plan;
    struct settings_change changes[SETTINGS_CHANGES_MAX];
    size_t change_count;
};

struct reload *reload_new(struct daemon *daemon)
{
    struct reload *reload = calloc(1, sizeof *reload);
    if (reload) {
        reload->daemon = daemon;
    }
    return reload;
}

void reload_free(struct reload *reload)
{
    free(reload);
}

/* ---- What it came to ---------------------------------------------------------------------------- */

static void write_changes(const struct reload *reload, bool at_start, struct json_out *out)
{
    json_out_array(out);
    for (size_t i = 0; i < reload->change_count; i++) {
        if (reload->changes[i].at_start == at_start) {
            json_out_string(out, reload->changes[i].name);
        }
    }
    json_out_array_end(out);
}

static void answer_done(const struct reload *reload, struct request *request)
{
    struct json_out *out = request_result_begin(request);
    if (!out) {
        return;
    }
    json_out_object(out);
    json_out_key(out, "cells");
    reload_plan_write_cells(&reload->plan, out);
    json_out_key(out, "settings");
    write_changes(reload, false, out);
    json_out_key(out, "at_start");
    write_changes(reload, true, out);
    json_out_key(out, "findings");
    reload_plan_write_findings(&reload->plan, out);
    json_out_object_end(out);
    request_result_end(request);
}

static void answer_refused(const struct reload *reload, struct request *request)
{
    struct json_out *out = request_error_begin(request, CODE_REFUSED, reload->plan.why.text);
    if (out) {
        json_out_key(out, "findings");
        reload_plan_write_findings(&reload->plan, out);
        request_error_end(request);
    }
}

static void answer_all(struct reload *reload)
{
    while (reload->asking) {
        struct request *request = reload->asking;
        reload->asking = request->next;
        request->next = NULL;
        if (reload->plan.result == 0) {
            answer_done(reload, request);
        } else {
            answer_refused(reload, request);
        }
    }
}

static void tell_findings(const struct reload_plan *plan)
{
    for (size_t i = 0; i < plan->findings.count; i++) {
        const struct finding *finding = &plan->findings.list[i];
        struct log_field fields[] = {{.key = "file", .text = finding->file},
                                     {.key = "line", .number = finding->line},
                                     {.key = "column", .number = finding->column},
                                     {.key = "field", .text = finding->field},
                                     {0}};
        struct message line;
        finding_print(finding, &line);
        log_say_with(finding->severity == FINDING_NOTE ? LOG_NOTICE : LOG_ERROR, "finding", NULL,
                     fields, "%s", line.text);
    }
}

static size_t count_of(const struct reload_plan *plan, enum reload_change change)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->cell_count; i++) {
        count += plan->cells[i].change == change;
    }
    return count;
}

static void tell_done(const struct reload *reload)
{
    const struct reload_plan *plan = &reload->plan;
    struct log_field fields[] = {
        {.key = "kept", .number = (int64_t)count_of(plan, RELOAD_KEPT)},
        {.key = "replaced", .number = (int64_t)count_of(plan, RELOAD_REPLACED)},
        {.key = "opened", .number = (int64_t)count_of(plan, RELOAD_OPENED)},
        {.key = "removed", .number = (int64_t)count_of(plan, RELOAD_REMOVED)},
        {.key = "settings", .number = (int64_t)reload->change_count},
        {0},
    };
    for (size_t i = 0; i < reload->change_count; i++) {
        if (reload->changes[i].at_start) {
            log_say(LOG_WARNING, "at_start", NULL,
                    "%s has changed: that comes into force when the daemon is started anew",
                    reload->changes[i].name);
        }
    }
    log_say_with(LOG_NOTICE, "reloaded", NULL, fields,
                 "the configuration is in force: %zu cells kept, %zu replaced, %zu opened, %zu "
                 "removed, %zu settings changed",
                 count_of(plan, RELOAD_KEPT), count_of(plan, RELOAD_REPLACED),
                 count_of(plan, RELOAD_OPENED), count_of(plan, RELOAD_REMOVED),
                 reload->change_count);
}

static void tell(struct reload *reload)
{
    bool done = reload->plan.result == 0;
    tell_findings(&reload->plan);
    if (done) {
        tell_done(reload);
    } else {
        log_say(LOG_ERROR, "reload_refused", NULL, "nothing was changed: %s",
                reload->plan.why.text);
    }
    if (!reload->daemon->gateway.stopping) {
        daemon_tell_ready(reload->daemon, done ? "" : "the last reload was refused, see the log");
    }
}

/* ---- Coming into force --------------------------------------------------------------------------- */

static bool same_address(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The settings beside the cells. Nothing here can fail. */
static void apply_settings(struct daemon *daemon, struct settings *fresh)
{
    struct gateway *gateway = &daemon->gateway;
    struct settings before = *daemon->settings;
    if (before.socket) { /* it listens where it did */
        free(fresh->socket);
        fresh->socket = before.socket;
        before.socket = NULL;
    }
    *daemon->settings = *fresh;
    *fresh = (struct settings){0};
    gateway->limits = daemon->settings->limits;
    gateway->access = daemon_access(daemon->settings);
    settings_deinit(&before);
    log_configure(daemon->settings->log_level, daemon->settings->log_form);
    if (listener_set_access(&daemon->listener, &gateway->access) != 0) {
        log_say(LOG_WARNING, "listening", NULL, "the mode of %s cannot be changed",
                daemon->listener.path);
    }
    for (struct connection *connection = gateway->connections; connection;) {
        struct connection *next = connection->next;
        connection_check_access(connection);
        connection = next;
    }
}

/* All of it, or nothing. */
static int apply(struct reload *reload)
{
    struct daemon *daemon = reload->daemon;
    struct reload_plan *plan = &reload->plan;
    struct http *http = daemon->http;
    bool moved = !same_address(daemon->settings->http, plan->fresh.http);
    if (daemon->gateway.stopping) {
        return message_set(&plan->why, -ESHUTDOWN, "the daemon is stopping");
    }
    if (moved) {
        http = NULL;
        int r = plan->fresh.http ? http_start(&daemon->gateway, plan->fresh.http, &http, &plan->why)
                                 : 0;
        if (r != 0) {
            return r;
        }
    }
    struct house **houses = reload_plan_take(plan);
    int r = houses ? gateway_set_houses(&daemon->gateway, houses, plan->fresh_count, &plan->why)
                   : message_set(&plan->why, -ENOMEM, "not enough memory");
    if (r != 0) {
        http_stop(moved ? http : NULL);
        return r;
    }
    if (moved) {
        http_stop(daemon->http);
        daemon->http = http;
    }
    reload->change_count = settings_changes(daemon->settings, &plan->fresh, reload->changes);
    apply_settings(daemon, &plan->fresh);
    return 0;
}

/* ---- Its course --------------------------------------------------------------------------------- */

static void begin(struct reload *reload);

static void deinit_work(uv_work_t *work)
{
    struct reload *reload = work->data;
    reload_plan_deinit(&reload->plan);
}

static void deinit_done(uv_work_t *work, int status)
{
    struct reload *reload = work->data;
    (void)status;
    reload->running = false;
    if (reload->again) {
        begin(reload);
    }
}

/* What came into force is answered and told; the rest is closed in the pool. */
static void finish(struct reload *reload)
{
    answer_all(reload);
    tell(reload);
    if (uv_queue_work(&reload->daemon->loop, &reload->work, deinit_work, deinit_done) != 0) {
        deinit_work(&reload->work);
        deinit_done(&reload->work, 0);
    }
}

static void make_work(uv_work_t *work)
{
    struct reload *reload = work->data;
    reload_plan_make(&reload->plan);
}

static void make_done(uv_work_t *work, int status)
{
    struct reload *reload = work->data;
    struct reload_plan *plan = &reload->plan;
    (void)status;
    plan->result = plan->result == 0 ? apply(reload) : plan->result;
    reload_plan_leave(plan);
    finish(reload);
}

static void begin(struct reload *reload)
{
    struct daemon *daemon = reload->daemon;
    struct reload_plan *plan = &reload->plan;
    reload->running = true;
    reload->again = false;
    reload->asking = reload->waiting;
    reload->waiting = NULL;
    reload->change_count = 0;
    reload->work.data = reload;
    *plan = (struct reload_plan){.result = 0};
    supervisor_tell_reloading(&daemon->supervisor);
    int r = reload_plan_begin(plan, daemon->options, daemon->gateway.houses,
                              daemon->gateway.house_count);
    r = r != 0 ? r : uv_queue_work(&daemon->loop, &reload->work, make_work, make_done);
    if (r != 0) {
        plan->result = message_set(&plan->why, r, "not enough memory");
        reload_plan_leave(plan);
        finish(reload);
    }
}

void reload_ask(struct reload *reload)
{
    reload->again = true;
    if (!reload->running) {
        begin(reload);
    }
}

void own_take_reload(struct gateway *gateway, struct request *request, struct json_value params)
{
    struct reload *reload = gateway->reload;
    (void)params;
    if (!access_commands(request->connection->uid)) {
        request_fail(request, CODE_FORBIDDEN, "only the daemon's own user and root may reload it");
        return;
    }
    if (!reload) {
        request_fail(
            request, CODE_REFUSED,
            "the daemon was started without a configuration file: there is nothing to read "
            "again");
        return;
    }
    struct request **link = &reload->waiting;
    while (*link) {
        link = &(*link)->next;
    }
    request->next = NULL;
    *link = request;
    reload_ask(reload);
}
