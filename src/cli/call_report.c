/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/call_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cordon/outcome.h"
#include "json/show.h"

static int compare_times(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return (*a > *b) - (*a < *b);
}

/* Of sorted times. */
static uint64_t median_ns(const struct call_report *report)
{
    return report->times_ns[report->time_count / 2];
}

static void put_us(struct json_out *out, uint64_t ns)
{
    json_out_double(out, (double)ns / 1e3);
}

/* "ENOENT" and "SIGSEGV" with their numbers. */
static void put_named(struct json_out *out, const char *prefix, const char *name, int number)
{
    char text[32];
    snprintf(text, sizeof text, "%s%s", prefix, name ? name : "?");
    json_out_object(out);
    json_out_key(out, "name");
    json_out_string(out, text);
    json_out_key(out, "number");
    json_out_int(out, number);
    json_out_object_end(out);
}

static void put_errno(struct json_out *out, int number)
{
    if (number == 0) {
        json_out_int(out, 0);
    } else {
        put_named(out, "", strerrorname_np(number), number);
    }
}

static void put_done(struct json_out *out, const struct call_report *report)
{
    const struct plan_view *plan = report->arguments->plan;
    struct show show;
    show_init(&show, &report->arguments->by_position, &report->result->value, out);
    json_out_key(out, "return");
    show_return(&show, report->result->owned);
    json_out_key(out, "out");
    json_out_object(out);
    for (uint32_t i = 0; i < view_function(plan)->param_count; i++) {
        if (show_is_output(plan, i)) {
            json_out_key(out, view_name(plan, view_param(plan, i)->name));
            show_output(&show, i);
        }
    }
    json_out_object_end(out);
    json_out_key(out, "errno");
    put_errno(out, report->result->error_number);
}

static void put_failed(struct json_out *out, const struct call_report *report)
{
    const struct cordon_result *result = report->result;
    if (report->outcome == CORDON_CRASHED && result->signal != 0) {
        json_out_key(out, "signal");
        put_named(out, "SIG", sigabbrev_np(result->signal), result->signal);
    } else if (report->outcome == CORDON_CRASHED) {
        json_out_key(out, "exit_status");
        json_out_int(out, result->exit_status);
    }
    if (result->error.text[0]) {
        json_out_key(out, "message");
        json_out_text_bytes(out, result->error.text, strlen(result->error.text));
    }
    if (result->report != 0) {
        char id[32];
        snprintf(id, sizeof id, "%016llx", (unsigned long long)result->report);
        json_out_key(out, "report");
        json_out_string(out, id);
    }
}

static void put_violations(struct json_out *out, const struct call_report *report)
{
    json_out_key(out, "violations");
    json_out_array(out);
    for (size_t i = 0; i < report->violation_count; i++) {
        const struct cordon_violation *violation = &report->violations[i];
        json_out_object(out);
        json_out_key(out, "act");
        json_out_text_bytes(out, violation->act, strlen(violation->act));
        json_out_key(out, "errno");
        put_errno(out, violation->error_number);
        if (violation->grant[0]) {
            json_out_key(out, "grant");
            json_out_text_bytes(out, violation->grant, strlen(violation->grant));
        }
        json_out_object_end(out);
    }
    json_out_array_end(out);
    if (report->violations_ever > report->violation_count) {
        json_out_key(out, "violations_ever");
        json_out_uint(out, report->violations_ever);
    }
}

static void put_repeat(struct json_out *out, struct call_report *report)
{
    qsort(report->times_ns, report->time_count, sizeof *report->times_ns, compare_times);
    json_out_key(out, "repeat");
    json_out_object(out);
    json_out_key(out, "calls");
    json_out_uint(out, report->time_count);
    json_out_key(out, "elapsed_us_median");
    put_us(out, median_ns(report));
    json_out_key(out, "elapsed_us_min");
    put_us(out, report->times_ns[0]);
    json_out_key(out, "elapsed_us_max");
    put_us(out, report->times_ns[report->time_count - 1]);
    json_out_object_end(out);
}

static int write_out(struct json_out *out)
{
    const char *text = json_out_text(out);
    int r = text ? output_write(text, out->length) : command_fail(EXIT_COULD_NOT, "no memory");
    json_out_deinit(out);
    return r;
}

int call_report_json(struct call_report *report)
{
    struct json_out out = {0};
    json_out_object(&out);
    json_out_key(&out, "outcome");
    json_out_string(&out, cordon_outcome_name(report->outcome));
    if (report->outcome == CORDON_DONE) {
        put_done(&out, report);
    } else {
        put_failed(&out, report);
    }
    json_out_key(&out, "elapsed_us");
    put_us(&out, report->elapsed_ns);
    if (report->repeat > 0) {
        put_repeat(&out, report);
    }
    if (report->violation_count > 0) {
        put_violations(&out, report);
    }
    json_out_object_end(&out);
    int r = write_out(&out);
    return r == EXIT_DONE ? output_text("\n") : r;
}

/* Readable form: a line for each thing, its name in bold. */
static int line(const char *name, struct json_out *value)
{
    const char *text = json_out_text(value);
    bool colours = output_has_colours();
    int r = text ? output_format("%s%-10s%s %s\n", colours ? "\033[1m" : "", name,
                                 colours ? "\033[0m" : "", text)
                 : command_fail(EXIT_COULD_NOT, "no memory");
    json_out_deinit(value);
    return r;
}

static int headline(const struct call_report *report)
{
    const char *colour = report->outcome == CORDON_DONE      ? "\033[32m"
                         : report->outcome <= CORDON_ABORTED ? "\033[31m"
                                                             : "\033[33m";
    bool colours = output_has_colours();
    return output_format("%s%s%s in %.3f us\n", colours ? colour : "",
                         cordon_outcome_name(report->outcome), colours ? "\033[0m" : "",
                         (double)report->elapsed_ns / 1e3);
}

static int readable_done(const struct call_report *report)
{
    const struct plan_view *plan = report->arguments->plan;
    const struct cordon_plan_function *function = view_function(plan);
    struct json_out out = {.readable = true};
    struct show show;
    int r = EXIT_DONE;
    show_init(&show, &report->arguments->by_position, &report->result->value, &out);
    if (view_type(plan, function->result.type)->kind != CORDON_PLAN_VOID) {
        show_return(&show, report->result->owned);
        r = line("return", &out);
    }
    for (uint32_t i = 0; i < function->param_count && r == EXIT_DONE; i++) {
        if (show_is_output(plan, i)) {
            out.readable = true;
            show_output(&show, i);
            r = line(view_name(plan, view_param(plan, i)->name), &out);
        }
    }
    int number = report->result->error_number;
    if (r == EXIT_DONE && number != 0) {
        const char *name = strerrorname_np(number);
        r = output_format("errno      %s (%d): %s\n", name ? name : "?", number, strerror(number));
    }
    return r;
}

static int readable_failed(const struct call_report *report)
{
    const struct cordon_result *result = report->result;
    int r = EXIT_DONE;
    if (result->error.text[0]) {
        r = output_format("%s\n", result->error.text);
    } else if (report->outcome == CORDON_CRASHED && result->signal != 0) {
        r = output_format("by signal %d (%s)\n", result->signal, strsignal(result->signal));
    }
    return r == EXIT_DONE && result->report != 0
               ? output_format("more: cordon report %016llx\n", (unsigned long long)result->report)
               : r;
}

static int readable_violations(const struct call_report *report)
{
    int r = EXIT_DONE;
    for (size_t i = 0; i < report->violation_count && r == EXIT_DONE; i++) {
        const struct cordon_violation *violation = &report->violations[i];
        r = output_format("forbidden  %s%s%s\n", violation->act,
                          violation->grant[0] ? "; allowed by --grant " : "", violation->grant);
    }
    uint64_t more = report->violations_ever - report->violation_count;
    return r == EXIT_DONE && more > 0
               ? output_format("forbidden  %llu more before these\n", (unsigned long long)more)
               : r;
}

static int readable_repeat(struct call_report *report)
{
    qsort(report->times_ns, report->time_count, sizeof *report->times_ns, compare_times);
    return output_format("%llu calls: median %.3f us, min %.3f us, max %.3f us\n",
                         (unsigned long long)report->time_count, (double)median_ns(report) / 1e3,
                         (double)report->times_ns[0] / 1e3,
                         (double)report->times_ns[report->time_count - 1] / 1e3);
}

int call_report_readable(struct call_report *report)
{
    int r = headline(report);
    if (r == EXIT_DONE) {
        r = report->outcome == CORDON_DONE ? readable_done(report) : readable_failed(report);
    }
    r = r == EXIT_DONE ? readable_violations(report) : r;
    return r == EXIT_DONE && report->repeat > 0 ? readable_repeat(report) : r;
}

int call_report_find_raw(const struct plan_view *plan, const char *name, uint32_t *ret_index,
                         struct message *why)
{
    if (strcmp(name, "return") == 0) {
        uint8_t kind = view_type(plan, view_function(plan)->result.type)->kind;
        *ret_index = UINT32_MAX;
        return kind == CORDON_PLAN_POINTER || kind == CORDON_PLAN_STRING ||
                       kind == CORDON_PLAN_STRUCT
                   ? 0
                   : message_set(why, -EINVAL, "--raw return: the result has no bytes to write");
    }
    (void)message_set(why, -EINVAL, "--raw: %s has no output '%s'; it has",
                      view_name(plan, view_function(plan)->name), name);
    const char *before = "";
    for (uint32_t i = 0; i < view_function(plan)->param_count; i++) {
        const char *given = view_name(plan, view_param(plan, i)->name);
        if (!show_is_output(plan, i)) {
            continue;
        }
        if (strcmp(given, name) == 0) {
            *ret_index = i;
            return 0;
        }
        message_add(why, "%s %s", before, given);
        before = ",";
    }
    if (*before == '\0') {
        message_add(why, " none");
    }
    return -EINVAL;
}

int call_report_raw(const struct call_report *report, uint32_t index)
{
    struct show show;
    const void *bytes;
    size_t length;
    show_init(&show, &report->arguments->by_position, &report->result->value, NULL);
    return show_bytes(&show, index, report->result->owned, &bytes, &length)
               ? output_write(bytes, length)
               : EXIT_DONE; /* NULL has no bytes */
}
