/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/report_file.h"

#define COLUMN 12

enum colour { PLAIN, BOLD, RED, GREEN, FAINT };

static const char *paint(enum colour colour)
{
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[31m", "\033[32m", "\033[2m"};
    return output_has_colours() ? codes[colour] : "";
}

static int value_text(const json_t *value)
{
    if (json_is_string(value)) {
        return output_text(json_string_value(value));
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
    int r = text ? output_text(text) : EXIT_DONE;
    free(text);
    return r;
}

static int label(const char *name)
{
    return output_format("%s%-*s%s", paint(BOLD), COLUMN, name, paint(PLAIN));
}

static int heading(const char *name)
{
    return output_format("\n%s%s%s\n", paint(BOLD), name, paint(PLAIN));
}

/* ---- The call ---------------------------------------------------------------------------------- */

/* {"count", "bytes", "sha256"} -> "12 bytes (sha256 0123456789ab)". */
static int argument_value(const json_t *value)
{
    const char *sha256 = report_text(value, "sha256");
    if (!*sha256) {
        return value_text(value);
    }
    int r = output_format("%lld bytes (sha256 %.12s)", (long long)report_number(value, "bytes"),
                          sha256);
    const char *first = report_text(value, "first");
    return r == EXIT_DONE && *first ? output_format(" %s...", first) : r;
}

static int arguments(const json_t *call)
{
    size_t index;
    json_t *argument;
    (void)output_text("(");
    json_array_foreach(json_object_get(call, "arguments"), index, argument)
    {
        (void)output_format("%s%s%s%s = ", index > 0 ? ", " : "", paint(FAINT),
                            report_text(argument, "name"), paint(PLAIN));
        const json_t *value = json_object_get(argument, "value");
        if (strcmp(report_text(argument, "direction"), "out") == 0) {
            (void)output_text("out");
            if (json_is_object(value) && json_object_size(value) > 0) {
                (void)output_format("[%lld]", (long long)report_number(value, "room"));
            }
        } else {
            (void)argument_value(value);
        }
    }
    return output_text(")");
}

static int show_call(const json_t *report)
{
    const json_t *call = json_object_get(report, "call");
    if (!call) {
        return EXIT_DONE;
    }
    (void)label("call");
    if (*report_text(call, "function")) {
        (void)output_text(report_text(call, "function"));
    } else {
        (void)output_format("function %lld", (long long)report_number(call, "function_id"));
    }
    if (json_object_get(call, "arguments")) {
        (void)arguments(call);
    } else if (*report_text(call, "arguments_missing")) {
        (void)output_format(" (arguments: %s)", report_text(call, "arguments_missing"));
    }
    if (json_object_get(call, "number")) {
        (void)output_format(", number %lld of its worker",
                            (long long)report_number(call, "number"));
    }
    (void)output_text("\n");
    const json_t *replay = json_object_get(call, "replay");
    if (replay && !json_is_true(json_object_get(replay, "possible"))) {
        (void)label("replay");
        return output_format("not possible: %s\n", report_text(replay, "why"));
    }
    const json_t *session = json_object_get(replay, "session");
    if (json_object_get(session, "recording")) {
        (void)label("replay");
        return output_format("with its session: %lld calls, %lld bytes recorded\n",
                             (long long)report_number(session, "calls"),
                             (long long)report_number(session, "bytes"));
    }
    return EXIT_DONE;
}

/* ---- What happened ----------------------------------------------------------------------------- */

static int show_signal(const json_t *report)
{
    const json_t *signal = json_object_get(report, "signal");
    if (!signal) {
        return EXIT_DONE;
    }
    (void)label("signal");
    (void)output_format("%s%s%s", paint(RED), report_text(signal, "name"), paint(PLAIN));
    if (*report_text(signal, "code_name")) {
        (void)output_format(" (%s: %s)", report_text(signal, "code_name"),
                            report_text(signal, "meaning"));
    }
    (void)output_text("\n");
    if (!*report_text(signal, "there")) {
        return EXIT_DONE;
    }
    (void)label("address");
    return output_format("%s: %s\n", report_text(signal, "address"), report_text(signal, "there"));
}

static int show_frame(const json_t *frame, size_t number)
{
    const char *function = report_text(frame, "function");
    const char *by = report_text(frame, "by");
    bool guess = strcmp(by, "scan") == 0 || strcmp(by, "frame-pointer") == 0;
    if (json_is_true(json_object_get(frame, "inlined"))) {
        (void)output_format("  #%-2zu %18s %s%s%s", number, "(inlined)", paint(GREEN), function,
                            paint(PLAIN));
    } else {
        (void)output_format("  #%-2zu %18s %s%s%s%s%s", number, report_text(frame, "address"),
                            paint(GREEN), function, paint(PLAIN), *function ? "+" : "",
                            *function ? report_text(frame, "function_offset") : "");
        const char *module = report_text(frame, "module");
        const char *slash = strrchr(module, '/');
        (void)output_format("%s%s+%s", *function ? "  " : "", slash ? slash + 1 : module,
                            report_text(frame, "offset"));
    }
    if (*report_text(frame, "file")) {
        (void)output_format("\n      %18s at %s:%lld", "", report_text(frame, "file"),
                            (long long)report_number(frame, "line"));
    }
    return output_format("%s\n", guess ? "  (a guess)" : "");
}

static int show_registers(const json_t *thread)
{
    const char *name;
    json_t *value;
    int column = 0;
    json_object_foreach(json_object_get(thread, "registers"), name, value)
    {
        (void)output_format("%s%6s %-18s", column % 3 == 0 ? "    " : " ", name,
                            json_string_value(value) ? json_string_value(value) : "");
        column++;
        if (column % 3 == 0) {
            (void)output_text("\n");
        }
    }
    return column % 3 == 0 ? EXIT_DONE : output_text("\n");
}

static int show_threads(const json_t *report)
{
    size_t index;
    json_t *thread;
    json_array_foreach(json_object_get(report, "threads"), index, thread)
    {
        bool blamed = json_is_true(json_object_get(thread, "blamed"));
        size_t number;
        json_t *frame;
        (void)output_format("\n%sthread %lld%s %s\n", paint(BOLD),
                            (long long)report_number(thread, "tid"), paint(PLAIN),
                            report_text(thread, "name"));
        json_array_foreach(json_object_get(thread, "stack"), number, frame)
        {
            (void)show_frame(frame, number);
        }
        if (blamed) {
            (void)show_registers(thread);
        }
    }
    return EXIT_DONE;
}

/* ---- What it was ------------------------------------------------------------------------------- */

static int show_cell(const json_t *report)
{
    const json_t *cell = json_object_get(report, "cell");
    const json_t *host = json_object_get(cell, "host");
    const json_t *worker = json_object_get(report, "worker");
    /* "strict: read:/x on_violation:refuse ...", where the report knows it. */
    const char *in_force = report_text(cell, "policy_text");
    const char *policy = *in_force ? in_force : report_text(cell, "policy");
    const char *program = report_text(host, "program");
    (void)label("library");
    (void)output_format("%s (level %s%s%s)\n", report_text(cell, "library"),
                        report_text(cell, "level"), *policy ? ", policy " : "", policy);
    (void)label("host");
    (void)output_format("%s%spid %lld\n", program, *program ? ", " : "",
                        (long long)report_number(host, "pid"));
    if (!worker) {
        return EXIT_DONE;
    }
    (void)label("worker");
    return output_format("%lld, %.3f s old\n", (long long)report_number(worker, "number"),
                         json_number_value(json_object_get(worker, "age_ms")) / 1e3);
}

static int show_history(const json_t *report)
{
    const json_t *history = json_object_get(report, "history");
    size_t index;
    json_t *call;
    if (json_array_size(history) == 0) {
        return EXIT_DONE;
    }
    (void)heading("last calls");
    json_array_foreach(history, index, call)
    {
        (void)output_format("  %6lld ", (long long)report_number(call, "number"));
        if (!*report_text(call, "function")) {
            (void)output_format("(Cordon's own: %s)\n", report_text(call, "function_id"));
            continue;
        }
        (void)output_text(report_text(call, "function"));
        if (json_object_get(call, "arguments")) {
            (void)arguments(call);
        } else {
            (void)output_format("(%lld bytes)", (long long)report_number(call, "request_bytes"));
        }
        (void)output_text("\n");
    }
    return EXIT_DONE;
}

static int show_violations(const json_t *report)
{
    const json_t *violations = json_object_get(report, "violations");
    size_t index;
    json_t *violation;
    if (!violations) {
        return EXIT_DONE;
    }
    (void)heading("forbidden acts");
    (void)output_format("  %lld in all, the last:\n",
                        (long long)report_number(violations, "count"));
    json_array_foreach(json_object_get(violations, "last"), index, violation)
    {
        const char *grant = report_text(violation, "grant");
        (void)output_format("  %s%s%s%s\n", report_text(violation, "act"),
                            *grant ? " (would be allowed by " : "", grant, *grant ? ")" : "");
    }
    return EXIT_DONE;
}

static int show_pairs(const char *title, json_t *object)
{
    const char *key;
    json_t *value;
    if (json_object_size(object) == 0) {
        return EXIT_DONE;
    }
    (void)heading(title);
    json_object_foreach(object, key, value)
    {
        (void)output_format("  %-*s ", COLUMN, key);
        (void)value_text(value);
        (void)output_text("\n");
    }
    return EXIT_DONE;
}

static int show_modules(const json_t *report)
{
    size_t index;
    json_t *module;
    if (json_array_size(json_object_get(report, "modules")) == 0) {
        return EXIT_DONE;
    }
    (void)heading("modules");
    json_array_foreach(json_object_get(report, "modules"), index, module)
    {
        const char *why = report_text(module, "no_symbols");
        (void)output_format("  %18s %s %s%s%s\n", report_text(module, "start"),
                            report_text(module, "path"), report_text(module, "build_id"),
                            *why ? ": " : "", why);
    }
    return EXIT_DONE;
}

static int show_notes(const json_t *report)
{
    size_t index;
    json_t *note;
    json_array_foreach(json_object_get(report, "notes"), index, note)
    {
        (void)output_format("%snote: ", index == 0 ? "\n" : "");
        (void)value_text(note);
        (void)output_text("\n");
    }
    return EXIT_DONE;
}

int report_text_show(const json_t *report)
{
    (void)output_format("%sreport %s%s  %s\n", paint(BOLD), report_text(report, "id"), paint(PLAIN),
                        report_text(report, "when"));
    (void)output_format("%s%s%s: %s\n\n", paint(RED), report_text(report, "what"), paint(PLAIN),
                        report_text(report, "summary"));
    (void)show_cell(report);
    (void)show_call(report);
    (void)show_signal(report);
    if (*report_text(report, "text")) {
        (void)label("text");
        (void)output_format("%s\n", report_text(report, "text"));
    }
    (void)show_threads(report);
    (void)show_violations(report);
    (void)show_history(report);
    (void)show_pairs("limits", json_object_get(json_object_get(report, "cell"), "limits"));
    (void)show_pairs("resources", json_object_get(json_object_get(report, "worker"), "resources"));
    (void)show_modules(report);
    (void)show_notes(report);
    return output_text(""); /* whether all was written */
}

int report_text_line(const json_t *report)
{
    const char *library = report_text(report, "library");
    const char *slash = strrchr(library, '/');
    return output_format("%s  %.19s  %-9s  %-16s %s\n", report_text(report, "id"),
                         report_text(report, "when"), report_text(report, "what"),
                         slash ? slash + 1 : library, report_text(report, "summary"));
}
