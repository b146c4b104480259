/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/work.h"

/* ---- Names ------------------------------------------------------------------------------------- */

static void judge_name(struct config_work *work, const struct config_cells *from, size_t index,
                       const struct cell_settings *to)
{
    struct config_field field = config_field("cells[%zu].name", index);
    if (!from->name) {
        return; /* told already */
    }
    if (from->name[strspn(from->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_-")]) {
        config_say(work, FINDING_ERROR, field,
                   "'%.64s' is no name for a cell: letters, digits, '_' and '-' are possible",
                   from->name);
    } else if (strcmp(from->name, "cordon") == 0) {
        config_say(work, FINDING_ERROR, field, "'cordon' is the daemon's own");
    }
    for (size_t i = 0; i < index; i++) {
        const char *other = to[(ptrdiff_t)i - (ptrdiff_t)index].name;
        if (other && strcmp(other, from->name) == 0) {
            config_say(work, FINDING_ERROR, field,
                       "cells[%zu] is called '%s' already: each cell needs a name of its own", i,
                       from->name);
            return;
        }
    }
}

/* ---- Interfaces -------------------------------------------------------------------------------- */

/*
 * A mistake in an interface: what the compiler says begins with "NAME:LINE:COLUMN: ", and has the line and a caret
 * behind the sentence. In a file of its own that is the finding's place.
 */
static void say_mistake(struct config_work *work, struct config_field field, const char *name,
                        bool is_file, const char *text)
{
    size_t length = strlen(name);
    unsigned line = 0;
    unsigned column = 0;
    const char *sentence = text;
    if (strncmp(text, name, length) == 0 && text[length] == ':') {
        char *end;
        line = (unsigned)strtoul(text + length + 1, &end, 10);
        column = *end == ':' ? (unsigned)strtoul(end + 1, &end, 10) : 0;
        sentence = *end == ':' ? end + 1 + (end[1] == ' ') : text;
    }
    int bytes = (int)strcspn(sentence, "\n");
    if (is_file && line > 0) {
        findings_add(work->findings, FINDING_ERROR, name, line, column, field.text, "%.*s", bytes,
                     sentence);
    } else if (line > 0) {
        config_say(work, FINDING_ERROR, field, "line %u, column %u of it: %.*s", line, column,
                   bytes, sentence);
    } else {
        config_say(work, FINDING_ERROR, field, "%.*s", bytes, sentence);
    }
}

/* The declarations' text and what errors call it, as settings own them. Returns whether there are any. */
static bool take_interface(struct config_work *work, const struct config_cells *from, size_t index,
                           struct cordon_cell_options *options)
{
    struct config_field field = config_field("cells[%zu].interface", index);
    size_t length;
    char *text = NULL;
    if (from->interface && from->interface_text) {
        config_say(work, FINDING_ERROR, field,
                   "interface and interface_text exclude each other: give a file or a text");
        return false;
    }
    if (!from->interface && !from->interface_text) {
        if (!config_has(work, field) &&
            !config_has(work, config_field("cells[%zu].interface_text", index))) {
            config_say(work, FINDING_ERROR, field,
                       "there are no declarations: give interface (a file) or interface_text");
        }
        return false;
    }
    if (from->interface_text) {
        options->interface_text = config_keep(work, from->interface_text);
        options->interface_name = config_keep(work, "interface_text");
        return options->interface_text && options->interface_name;
    }
    char *path = config_path(work, from->interface);
    options->interface_name = path;
    if (!path || config_read_file(work, path, "the interface", field, &text, &length) != 0) {
        return false;
    }
    options->interface_text = text;
    if (strlen(text) != length) {
        config_say(work, FINDING_ERROR, field, "there is a NUL byte in %s: this is no text", path);
        return false;
    }
    return true;
}

static struct cordon_interface *parse_interface(struct config_work *work,
                                                const struct config_cells *from, size_t index,
                                                const struct cordon_cell_options *options)
{
    struct cordon_error error = {{0}};
    struct cordon_interface *interface = NULL;
    bool is_file = from->interface != NULL;
    int r = cordon_interface_parse(options->interface_name, options->interface_text,
                                   strlen(options->interface_text), &interface, &error);
    if (r == -ENOMEM) {
        work->no_memory = true;
    } else if (r < 0) {
        say_mistake(work,
                    config_field("cells[%zu].%s", index, is_file ? "interface" : "interface_text"),
                    options->interface_name, is_file, error.text);
    }
    return r == 0 ? interface : NULL;
}

/* ---- Numbers ----------------------------------------------------------------------------------- */

/* The kernel limits processes: in a thread of the daemon's most of these would hold nobody back. */
static void judge_idle_keys(struct config_work *work, size_t index, enum cordon_level level)
{
    static const char *const keys[] = {
        "limits.memory_bytes",
        "limits.cpu_ms",
        "limits.file_bytes",
        "limits.fds",
        "limits.threads",
        "arena_bytes",
        "policy",
        "grants",
        "on_violation",
    };
    for (size_t i = 0; level != CORDON_LEVEL_PROCESS && i < sizeof keys / sizeof keys[0]; i++) {
        struct config_field field = config_field("cells[%zu].%s", index, keys[i]);
        if (config_has(work, field)) {
            config_say(work, FINDING_ERROR, field,
                       "this holds at level process only, nobody would heed it: leave it out");
        }
    }
}

static void set_limits(struct config_work *work, const struct config_cells *from, size_t index,
                       struct cordon_cell_options *options)
{
    const struct config_cell_limits *limits = &from->limits;
    struct config_field field = config_field("cells[%zu].limits.memory_bytes", index);
    options->memory_bytes = limits->memory_bytes;
    options->cpu_ms = limits->cpu_ms;
    options->file_bytes = limits->file_bytes;
    options->fds = (uint32_t)limits->fds;
    options->threads = (uint32_t)limits->threads;
    options->call_bytes = (uint32_t)limits->call_bytes;
    judge_idle_keys(work, index, options->level);
    if (options->level != CORDON_LEVEL_PROCESS) {
        return;
    }
    if (limits->memory_bytes == 0 && !config_has(work, field)) {
        config_say(work, FINDING_UNSAFE, field,
                   "there is no memory limit: say how much a worker may take, like 256MiB, or "
                   "none, with a reason");
    } else if (limits->memory_bytes == UINT64_MAX && !from->reason) {
        config_say(work, FINDING_UNSAFE, field,
                   "a worker without a memory limit can take all there is: give one, or say in "
                   "'reason' why it may");
    }
}

static uint32_t or_none(uint64_t number)
{
    return number == UINT64_MAX ? CORDON_NONE : (uint32_t)number;
}

static void set_recovery(const struct config_cells *from, struct cordon_cell_options *options)
{
    const struct config_breaker *breaker = &from->breaker;
    const struct config_recycle *recycle = &from->recycle;
    options->spares = from->spares > 0 ? (uint32_t)from->spares : CORDON_NONE;
    options->breaker_percent = or_none(breaker->percent);
    options->function_breaker_percent = or_none(breaker->function_percent);
    options->breaker_samples = (uint32_t)breaker->samples;
    options->breaker_window_ms = (uint32_t)breaker->window_ms;
    options->breaker_cool_down_ms = (uint32_t)breaker->cool_down_ms;
    options->breaker_probes = (uint32_t)breaker->probes;
    /* 0 is what these have for never. */
    options->recycle_calls = recycle->calls == UINT64_MAX ? 0 : recycle->calls;
    options->recycle_ms = recycle->age_ms == UINT64_MAX ? 0 : recycle->age_ms;
    options->recycle_bytes = recycle->resident_bytes;
}

static void set_reports(struct config_work *work, const struct config_cells *from, size_t index,
                        struct cordon_cell_options *options)
{
    const struct config_reports *reports = &from->reports;
    bool none = reports->directory && strcmp(reports->directory, "none") == 0;
    options->reports = none ? config_keep(work, "") : config_path(work, reports->directory);
    options->reports_max = (uint32_t)reports->files;
    options->reports_bytes_max = reports->bytes;
    options->report_bytes = reports->arguments;
    options->record = from->record;
    options->record_bytes = from->record_bytes;
    if (from->record && (none || from->level != CORDON_LEVEL_PROCESS)) {
        config_say(work, FINDING_ERROR, config_field("cells[%zu].record", index),
                   none ? "a recording is kept with a report, and this cell makes none"
                        : "only level process can record what a worker was asked");
    }
}

static void set_sharing(struct config_work *work, const struct config_cells *from, size_t index,
                        struct cell_settings *to)
{
    bool is_process = from->level == CORDON_LEVEL_PROCESS;
    to->workers = (uint32_t)from->workers;
    to->client_sessions = (uint32_t)from->sessions;
    to->queue = (uint32_t)from->queue;
    to->lease_idle_ms = from->lease_idle_ms;
    to->options.arena_bytes = from->arena_bytes;
    to->leases = from->leases != CONFIG_LEASES ? (uint32_t)from->leases
                 : is_process                  ? to->workers
                                               : 0;
    if (to->leases > 0 && !is_process) {
        config_say(work, FINDING_ERROR, config_field("cells[%zu].leases", index),
                   "only workers of level process can be lent to other processes: leave this out, "
                   "or say 0");
    }
}

/* ---- A cell ------------------------------------------------------------------------------------ */

/* As the dynamic loader takes it: a name, or a path where there is a slash. */
static char *take_library(struct config_work *work, const char *library)
{
    return library && strchr(library, '/') ? config_path(work, library)
                                           : config_keep(work, library);
}

void config_cell(struct config_work *work, const struct config_cells *from, size_t index,
                 struct cell_settings *to, struct cordon_interface **ret_interface)
{
    struct cordon_cell_options *options = &to->options;
    *to = (struct cell_settings){.options = CORDON_CELL_OPTIONS};
    judge_name(work, from, index, to);
    to->name = config_keep(work, from->name ? from->name : "");
    to->reason = config_keep(work, from->reason);
    options->library = take_library(work, from->library);
    options->level = (enum cordon_level)from->level;
    options->deadline_ms = from->deadline_ms;
    options->start_ms = from->start_ms;
    set_limits(work, from, index, options);
    set_recovery(from, options);
    set_reports(work, from, index, options);
    set_sharing(work, from, index, to);
    config_policy(work, from, index, to);
    if (take_interface(work, from, index, options)) {
        *ret_interface = parse_interface(work, from, index, options);
    }
    config_methods(work, from, index, *ret_interface, to);
}
