/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/duration.h"
#include "cli/replay_arguments.h"
#include "cli/replay_session.h"
#include "cli/report_file.h"

#define ARGUMENTS_MAX 32
#define GRANTS_MAX    64

enum {
    OPTION_DIRECTORY,
    OPTION_JSON,
    OPTION_TIMEOUT,
    OPTION_GDB,
    OPTION_VALGRIND,
    OPTION_INLINE,
    OPTION_ALONE,
    OPTION_STEPS,
    OPTION_POLICY,
    OPTION_GRANT,
    OPTION_HELP,
};

static const struct option_spec replay_options[] = {
    [OPTION_DIRECTORY] = {"directory", "DIR", "reports in DIR, not in this user's directory"},
    [OPTION_JSON] = {"json", NULL, "one JSON object on one line, on a terminal too"},
    [OPTION_TIMEOUT] = {"timeout", "TIME",
                        "end the call after 250ms, 3s, 2m; default: as recorded, or its cell's"},
    [OPTION_GDB] = {"gdb", NULL, "at level inline under gdb, which shows where it stops"},
    [OPTION_VALGRIND] = {"valgrind", NULL, "at level inline under valgrind's memcheck"},
    [OPTION_INLINE] = {"inline", NULL, "at level inline, in this process: for other tools"},
    [OPTION_ALONE] = {"alone", NULL, "the call alone, also where its session was recorded"},
    [OPTION_STEPS] = {"steps", NULL, "say each call of the session on standard error"},
    [OPTION_POLICY] = {"policy", "POLICY",
                       "strict, files, network or trusted; default: as it was, "
                       "trusted excepted"},
    [OPTION_GRANT] = {"grant", "GRANT", "allow more: read:PATH, iconv, ...; repeatable"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

struct wish {
    const char *report;
    const char *directory;
    uint64_t timeout_ns; /* 0: as recorded, or its cell's */
    bool json;
    bool gdb;
    bool valgrind;
    bool is_inline;
    bool alone;
    bool steps;
    bool help;
    bool has_policy;
    enum cordon_policy policy;
    const char *grants[GRANTS_MAX + 1]; /* NULL behind the last */
    size_t grant_count;
};

static bool find_policy(const char *name, enum cordon_policy *ret_policy)
{
    static const char *const names[] = {"strict", "files", "network", "trusted"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_policy = (enum cordon_policy)i;
            return true;
        }
    }
    return false;
}

static int set_option(struct wish *wish, int option, const char *value, struct message *why)
{
    switch (option) {
    case OPTIONS_OPERAND:
        if (wish->report) {
            return message_set(why, -EINVAL, "one REPORT at a time");
        }
        wish->report = value;
        return 0;
    case OPTION_DIRECTORY:
        wish->directory = value;
        return 0;
    case OPTION_TIMEOUT:
        return duration_parse(value, &wish->timeout_ns) < 0
                   ? message_set(why, -EINVAL, "--timeout takes 250ms, 3s or 2m, not '%s'", value)
                   : 0;
    case OPTION_JSON:
        wish->json = true;
        return 0;
    case OPTION_GDB:
        wish->gdb = true;
        return 0;
    case OPTION_VALGRIND:
        wish->valgrind = true;
        return 0;
    case OPTION_INLINE:
        wish->is_inline = true;
        return 0;
    case OPTION_ALONE:
        wish->alone = true;
        return 0;
    case OPTION_STEPS:
        wish->steps = true;
        return 0;
    case OPTION_POLICY:
        wish->has_policy = true;
        return find_policy(value, &wish->policy)
                   ? 0
                   : message_set(why, -EINVAL,
                                 "no policy '%s'; there are strict, files, network, trusted",
                                 value);
    case OPTION_GRANT:
        if (wish->grant_count == GRANTS_MAX) {
            return message_set(why, -E2BIG, "more than %d grants", GRANTS_MAX);
        }
        wish->grants[wish->grant_count++] = value;
        return 0;
    default:
        wish->help = true;
        return 0;
    }
}

static int parse(int argc, char *const *argv, struct wish *wish, struct message *why)
{
    struct options options = {.specs = replay_options, .argc = argc, .argv = argv};
    for (;;) {
        const char *value = NULL;
        int option = options_next(&options, &value, why);
        if (option == OPTIONS_END) {
            break;
        }
        if (option == OPTIONS_WRONG || set_option(wish, option, value, why) < 0) {
            return -EINVAL;
        }
    }
    if (!wish->help && !wish->report) {
        return message_set(why, -EINVAL, "replay needs a REPORT; see 'cordon replay --help'");
    }
    if (wish->gdb && wish->valgrind) {
        return message_set(why, -EINVAL, "--gdb and --valgrind: one of them");
    }
    return 0;
}

/* ---- Under a tool ------------------------------------------------------------------------------ */

/* This program again, at level inline, under the tool. Returns only if that cannot be. */
static int run_tool(const struct wish *wish, const char *directory)
{
    static const char *const gdb[] = {"gdb",
                                      "-q",
                                      "--batch",
                                      "-ex",
                                      "handle SIGALRM stop print",
                                      "-ex",
                                      "run",
                                      "-ex",
                                      "bt",
                                      "-ex",
                                      "info registers",
                                      "--args",
                                      NULL};
    static const char *const valgrind[] = {"valgrind", "--track-origins=yes", NULL};
    const char *const *tool = wish->gdb ? gdb : valgrind;
    char *argv[ARGUMENTS_MAX];
    char program[PATH_MAX];
    char timeout[64];
    int count = 0;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) {
        return command_fail(EXIT_COULD_NOT, "/proc is needed for that: %s", strerror(errno));
    }
    program[length] = '\0';
    (void)snprintf(timeout, sizeof timeout, "%llums",
                   (unsigned long long)(wish->timeout_ns / 1000000u));
    while (tool[count]) {
        argv[count] = (char *)(uintptr_t)tool[count];
        count++;
    }
    argv[count++] = program;
    argv[count++] = (char *)(uintptr_t) "replay";
    argv[count++] = (char *)(uintptr_t) "--inline";
    argv[count++] = (char *)(uintptr_t)wish->report;
    if (directory) {
        argv[count++] = (char *)(uintptr_t) "--directory";
        argv[count++] = (char *)(uintptr_t)directory;
    }
    if (wish->alone) {
        argv[count++] = (char *)(uintptr_t) "--alone";
    }
    if (wish->steps) {
        argv[count++] = (char *)(uintptr_t) "--steps";
    }
    if (wish->timeout_ns >= 1000000u) {
        argv[count++] = (char *)(uintptr_t) "--timeout";
        argv[count++] = timeout;
    }
    argv[count] = NULL;
    (void)execvp(tool[0], argv);
    return command_fail(EXIT_COULD_NOT, "%s cannot be run: %s", tool[0], strerror(errno));
}

/* ---- The call ---------------------------------------------------------------------------------- */

/*
 * The report's policy, unless another one was asked for. A report is a file, that anybody may have written: it
 * alone does not take the sandbox away.
 */
static int choose_policy(const struct wish *wish, const json_t *cell,
                         enum cordon_policy *ret_policy)
{
    const char *name = report_text(cell, "policy");
    *ret_policy = CORDON_POLICY_STRICT;
    if (wish->has_policy) {
        *ret_policy = wish->policy;
        return EXIT_DONE;
    }
    if (!wish->is_inline && find_policy(name, ret_policy) && *ret_policy == CORDON_POLICY_TRUSTED) {
        return command_fail(EXIT_USAGE, "the cell's policy was trusted, which needs to be said: "
                                        "--policy trusted, or another one");
    }
    return EXIT_DONE;
}

/* What both ways of replaying have in common. */
static int fill_cell(const struct wish *wish, const json_t *report,
                     struct cordon_cell_options *cell)
{
    const json_t *from = json_object_get(report, "cell");
    const json_t *limits = json_object_get(from, "limits");
    cell->library = report_text(from, "library");
    cell->level = wish->is_inline ? CORDON_LEVEL_INLINE : CORDON_LEVEL_PROCESS;
    cell->memory_bytes = (uint64_t)report_number(limits, "memory_bytes");
    cell->call_bytes = (uint32_t)report_number(limits, "call_bytes");
    cell->start_ms = (uint64_t)report_number(limits, "start_ms");
    cell->spares = CORDON_NONE;
    cell->workers = 1;
    cell->reports = ""; /* there is one */
    cell->grants = wish->grants;
    return choose_policy(wish, from, &cell->policy);
}

static uint64_t deadline_of(const struct wish *wish, const json_t *report)
{
    const json_t *limits = json_object_get(json_object_get(report, "cell"), "limits");
    return wish->timeout_ns ? wish->timeout_ns
                            : (uint64_t)report_number(limits, "deadline_ms") * 1000000u;
}

/* Nobody else ends a call at level inline; 0: somebody does. */
static unsigned alarm_of(const struct wish *wish, const json_t *report)
{
    return wish->is_inline ? (unsigned)(deadline_of(wish, report) / 1000000000u + 1) : 0;
}

static int replay_alone(const struct wish *wish, const json_t *report)
{
    struct replay_arguments arguments;
    struct call_options options = {.cell = CORDON_CELL_OPTIONS};
    struct message why;
    int r = fill_cell(wish, report, &options.cell);
    if (r != EXIT_DONE) {
        return r;
    }
    r = replay_arguments_make(&arguments, report, &why);
    if (r < 0) {
        r = command_fail(EXIT_COULD_NOT, "this call cannot be replayed: %s", why.text);
    } else {
        options.library = options.cell.library;
        options.texts = arguments.texts;
        options.text_count = arguments.count;
        options.json = wish->json;
        options.timeout_ns = deadline_of(wish, report);
        (void)alarm(alarm_of(wish, report));
        r = call_run_plan(&options, arguments.plan, arguments.plan_bytes);
    }
    replay_arguments_free(&arguments);
    return r;
}

static int replay(const struct wish *wish, const json_t *report)
{
    struct cordon_cell_options cell = CORDON_CELL_OPTIONS;
    struct replay_session_wish session = {
        .cell = &cell, .timeout_ns = wish->timeout_ns, .json = wish->json, .steps = wish->steps};
    if (wish->alone || !replay_session_is_there(report)) {
        return replay_alone(wish, report);
    }
    int r = fill_cell(wish, report, &cell);
    session.alarm_s = alarm_of(wish, report);
    return r == EXIT_DONE ? replay_session(&session, report) : r;
}

static int run_replay(const struct command *command, int argc, char *const *argv)
{
    struct wish wish = {0};
    struct message why;
    json_t *report = NULL;
    if (parse(argc, argv, &wish, &why) < 0) {
        return command_fail(EXIT_USAGE, "%s", why.text);
    }
    if (wish.help) {
        return command_help(command);
    }
    int r = report_file_load(wish.report, wish.directory, &report, &why);
    if (r < 0) {
        return command_fail(r == -EINVAL ? EXIT_USAGE : EXIT_COULD_NOT, "%s", why.text);
    }
    r = wish.gdb || wish.valgrind ? run_tool(&wish, wish.directory) : replay(&wish, report);
    json_decref(report);
    return r;
}

const struct command replay_command = {
    .name = "replay",
    .operands = "REPORT",
    .summary = "Call once more what a report is about",
    .details =
        "REPORT is an id, `last`, or the path of a file (with a slash). The same function of the "
        "same\n"
        "library is called with the same arguments, policy and limits, in a fresh worker; what "
        "comes back is\n"
        "printed as `cordon call` prints it. Where the session was recorded (`cordon call "
        "--record`, option\n"
        "record of a cell) all of it is replayed, up to the call, and what went otherwise is "
        "told.\n"
        "\n"
        "--gdb and --valgrind load the library without a sandbox, as this user: for libraries that "
        "are\n"
        "trusted that far. Then the exit status is the tool's.\n"
        "\n"
        "Exit status: as of `cordon call`; 1 also when the call cannot be replayed.\n",
    .options = replay_options,
    .run = run_replay,
};
