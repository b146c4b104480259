/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cli/arguments.h"
#include "cli/call.h"
#include "cli/call_options.h"
#include "cli/call_report.h"
#include "cli/command.h"
#include "cli/declaration.h"
#include "cli/output.h"
#include "cli/residents.h"
#include "cordon/cell.h"
#include "cordon/function.h"
#include "cordon/report.h"

#define FLUSH_NS  CLOCK_SECOND_NS        /* most that writing the library's buffers may take */
#define REPORT_NS (10 * CLOCK_SECOND_NS) /* most that a report may take, on a busy machine */

/* One `cordon call`. */
struct call {
    struct call_options options;
    struct declaration declaration;
    struct arguments arguments;
    struct cordon_cell *cell;
    struct cordon_function *function;
    struct cordon_result result;
    struct call_report report;
    struct message why;
    uint32_t raw;      /* output that --raw names */
    size_t plan_bytes; /* the declaration is a plan alone; 0: a text */
};

int call_exit_of_outcome(int outcome)
{
    switch (outcome) {
    case CORDON_DONE:
        return EXIT_DONE;
    case CORDON_CRASHED:
    case CORDON_ABORTED:
        return EXIT_CRASHED;
    case CORDON_TIMEOUT:
        return EXIT_TIMED_OUT;
    default:
        return EXIT_REFUSED;
    }
}

/* What the person typed is wrong, or the machine cannot do it. */
static int exit_of_error(int error)
{
    return error == -EINVAL || error == -E2BIG || error == -ERANGE || error == -EOVERFLOW
               ? EXIT_USAGE
               : EXIT_COULD_NOT;
}

/*
 * Everything that needs no library: what is wrong here, files that cannot be read included, is the
 * command line's fault, and found before anything is started.
 */
static int prepare(struct call *call)
{
    int r = call->plan_bytes > 0
                ? 0
                : declaration_load(call->options.prototype, call->options.interface_path,
                                   &call->declaration, &call->why);
    if (r != 0) {
        return command_fail(r == -ENOMEM ? EXIT_COULD_NOT : EXIT_USAGE, "%s", call->why.text);
    }
    if (call->options.raw && call_report_find_raw(call->declaration.plan, call->options.raw,
                                                  &call->raw, &call->why) < 0) {
        return command_fail(EXIT_USAGE, "%s", call->why.text);
    }
    arguments_init(&call->arguments, call->declaration.plan, LIMIT_FRAME_BYTES, &call->why);
    r = arguments_parse(&call->arguments, call->options.texts, call->options.text_count);
    if (r < 0) {
        return command_fail(r == -ENOMEM ? EXIT_COULD_NOT : EXIT_USAGE, "%s", call->why.text);
    }
    r = call->options.repeat > 1 ? arguments_keep(&call->arguments) : 0;
    return r < 0 ? command_fail(EXIT_COULD_NOT, "%s", call->why.text) : EXIT_DONE;
}

static int open_cell(struct call *call)
{
    struct cordon_error error = {""};
    struct cordon_cell_options *options = &call->options.cell;
    options->interface_text = call->declaration.text;
    options->interface_name = call->declaration.text_name;
    options->library = call->options.library;
    options->workers = 1;
    if (strcmp(call->options.library, "-") == 0) {
        options->library = cordon_interface_library(call->declaration.interface_);
        if (!options->library) {
            return command_fail(EXIT_USAGE, "'%s' names no library, so LIBRARY cannot be '-'",
                                call->declaration.text_name);
        }
    }
    int r = cordon_cell_open(options, &call->cell, &error);
    if (r < 0) {
        return command_fail(exit_of_error(r), "%s", error.text[0] ? error.text : strerror(-r));
    }
    r = call->plan_bytes > 0
            ? cordon_bind_plan(call->cell, call->declaration.plan, call->plan_bytes, 0,
                               &call->function, &error)
            : cordon_bind(call->cell, call->declaration.function, 0, &call->function, &error);
    return r < 0 ? command_fail(r == -ENOTSUP ? EXIT_USAGE : exit_of_error(r), "%s", error.text)
                 : EXIT_DONE;
}

/*
 * Let the library write what it printed and still holds in its buffers: a worker ends without doing so.
 * A library that does not know libc has nothing there.
 */
static void flush_library(struct call *call)
{
    struct cordon_function *fflush_function;
    struct cordon_result result;
    const struct cordon_value all_streams = cordon_null();
    if (cordon_bind(call->cell, "int fflush(void *stream)", 0, &fflush_function, NULL) == 0 &&
        cordon_call(fflush_function, &all_streams, 1, clock_after_ns(FLUSH_NS), &result) >= 0) {
        cordon_result_release(&result);
    }
}

/* What went wrong beside the call is told like what goes wrong in it. */
static int copy_reason(struct call *call, int r)
{
    (void)snprintf(call->result.error.text, sizeof call->result.error.text, "%s", call->why.text);
    return r;
}

/* One call with its time. Returns what cordon_call() does. */
static int call_once(struct call *call)
{
    size_t count;
    struct cordon_session *session = cordon_session_current(call->cell);
    int r = residents_make(&call->arguments, session);
    if (r != 0) {
        return copy_reason(call, r);
    }
    const struct cordon_value *values = arguments_values(&call->arguments, &count);
    uint64_t deadline_ns =
        call->options.timeout_ns ? clock_after_ns(call->options.timeout_ns) : CORDON_DEFAULT;
    uint64_t start_ns = clock_now_ns();
    int outcome = cordon_call(call->function, values, count, deadline_ns, &call->result);
    call->report.elapsed_ns = clock_now_ns() - start_ns;
    call->report.times_ns[call->report.time_count++] = call->report.elapsed_ns;
    r = outcome == CORDON_DONE ? residents_read(&call->arguments, session) : 0;
    return r != 0 ? copy_reason(call, r) : outcome;
}

static int call_all(struct call *call)
{
    uint64_t times = call->options.repeat ? call->options.repeat : 1;
    call->report.repeat = call->options.repeat;
    call->report.arguments = &call->arguments;
    call->report.result = &call->result;
    call->report.times_ns = calloc(times, sizeof *call->report.times_ns);
    if (!call->report.times_ns) {
        return -ENOMEM;
    }
    int outcome = call_once(call);
    for (uint64_t i = 1; i < times && outcome == CORDON_DONE; i++) {
        cordon_result_release(&call->result);
        arguments_renew(&call->arguments);
        outcome = call_once(call);
    }
    return outcome;
}

static int print_report(struct call *call)
{
    if (call->options.raw && call->report.outcome == CORDON_DONE) {
        return call_report_raw(&call->report, call->raw);
    }
    if (call->options.raw) {
        return command_fail(EXIT_DONE, "%s: %s", cordon_outcome_name(call->report.outcome),
                            call->result.error.text);
    }
    return call->options.json || !output_is_terminal() ? call_report_json(&call->report)
                                                       : call_report_readable(&call->report);
}

/* The keeper would not wait long for it once this process has ended, and would say little. */
static void await_report(const struct call *call)
{
    if (call->result.report != 0) {
        (void)!cordon_report_wait(call->options.cell.reports, call->result.report, 0,
                                  clock_after_ns(REPORT_NS));
    }
}

static int run_prepared(struct call *call)
{
    int r = output_start();
    if (r < 0) {
        return command_fail(EXIT_COULD_NOT, "cannot part results from what libraries print: %s",
                            strerror(-r));
    }
    r = open_cell(call);
    if (r != EXIT_DONE) {
        return r;
    }
    int outcome = call_all(call);
    if (outcome < 0) {
        return command_fail(exit_of_error(outcome), "%s",
                            call->result.error.text[0] ? call->result.error.text
                                                       : strerror(-outcome));
    }
    call->report.outcome = outcome;
    call->report.violation_count =
        cordon_session_violations(cordon_session_current(call->cell), call->report.violations,
                                  CORDON_VIOLATIONS_KEPT, &call->report.violations_ever);
    r = print_report(call);
    if (outcome == CORDON_DONE) {
        flush_library(call);
    }
    if (outcome == CORDON_DONE) {
        cordon_result_release(&call->result);
    } else {
        await_report(call);
    }
    return r == EXIT_DONE ? call_exit_of_outcome(outcome) : r;
}

static int run(struct call *call)
{
    int r = prepare(call);
    r = r == EXIT_DONE ? run_prepared(call) : r;
    cordon_cell_close(call->cell);
    arguments_deinit(&call->arguments);
    declaration_deinit(&call->declaration);
    free(call->report.times_ns);
    return r;
}

int call_run_plan(const struct call_options *options, const void *plan, size_t plan_bytes)
{
    struct call call = {.options = *options, .plan_bytes = plan_bytes};
    call.declaration.plan = plan;
    call.declaration.text_name = "the report";
    return run(&call);
}

static int run_call(const struct command *command, int argc, char *const *argv)
{
    struct call call = {0};
    struct call_options options;
    int r = call_options_parse(argc, argv, &options, &call.why);
    if (r < 0) {
        r = command_fail(EXIT_USAGE, "%s", call.why.text);
    } else if (options.help) {
        r = command_help(command);
    } else {
        call.options = options;
        r = run(&call);
    }
    call_options_deinit(&options);
    return r;
}

const struct command call_command = {
    .name = "call",
    .operands = "LIBRARY PROTOTYPE [ARG...]",
    .summary = "Call one function of a native library, in isolation",
    .details =
        "LIBRARY is a soname or a path; '-' is the library that the interface file names; '' is "
        "the C\n"
        "library. PROTOTYPE is a C declaration with directions and lengths "
        "(cordon-prototypes(5)).\n"
        "\n"
        "ARGs are given for all parameters but those that only come back (their room follows from\n"
        "their lengths) and those that only give an input's length:\n"
        "  numbers      12, -3, 0xff, 1.5, true, false, an enumerator's name\n"
        "  strings      as they are; text:... for one that begins with text: or is \"null\"\n"
        "  bytes        plain text, @FILE, @- (standard input), hex:..., base64:..., text:...\n"
        "  structs, arrays   JSON, or @FILE with JSON\n"
        "  pointers     null; a pointer to one number takes the number\n"
        "  resident     JSON with the members to set; {} for none\n"
        "  ...          integers are int (or long), 1.5 is double, everything else a string\n"
        "Handles and callbacks end with this command: only null (or a constant's number) can be "
        "given.\n"
        "\n"
        "Exit status: 0 done, 1 could not, 2 wrong usage, prototype or arguments, 3 crashed or "
        "aborted,\n"
        "4 timed out, 5 refused (denied, busy, stale, open).\n",
    .options = call_option_specs,
    .run = run_call,
};
