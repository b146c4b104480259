/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/number.h"
#include "cli/replay_arguments.h"
#include "cli/report_file.h"

#define ARGUMENTS_MAX 24

enum {
    OPTION_DIRECTORY,
    OPTION_JSON,
    OPTION_TIMEOUT,
    OPTION_GDB,
    OPTION_VALGRIND,
    OPTION_INLINE,
    OPTION_HELP,
};

static const struct option_spec replay_options[] = {
    [OPTION_DIRECTORY] = {"directory", "DIR", "reports in DIR, not in this user's directory"},
    [OPTION_JSON] = {"json", NULL, "one JSON object on one line, on a terminal too"},
    [OPTION_TIMEOUT] = {"timeout", "TIME", "end the call after 250ms, 3s, 2m; default: as it was"},
    [OPTION_GDB] = {"gdb", NULL, "at level inline under gdb, which shows where it stops"},
    [OPTION_VALGRIND] = {"valgrind", NULL, "at level inline under valgrind's memcheck"},
    [OPTION_INLINE] = {"inline", NULL, "at level inline, in this process: for other tools"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

struct wish {
    const char *report;
    const char *directory;
    uint64_t timeout_ns; /* 0: as it was */
    bool json;
    bool gdb;
    bool valgrind;
    bool is_inline;
    bool help;
};

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
        return number_parse_duration(value, &wish->timeout_ns) < 0
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
    if (wish->timeout_ns >= 1000000u) {
        argv[count++] = (char *)(uintptr_t) "--timeout";
        argv[count++] = timeout;
    }
    argv[count] = NULL;
    (void)execvp(tool[0], argv);
    return command_fail(EXIT_COULD_NOT, "%s cannot be run: %s", tool[0], strerror(errno));
}

/* ---- The call ---------------------------------------------------------------------------------- */

static enum cordon_policy policy_of(const json_t *cell)
{
    static const char *const names[] = {"strict", "files", "network", "trusted"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(report_text(cell, "policy"), names[i]) == 0) {
            return (enum cordon_policy)i;
        }
    }
    return CORDON_POLICY_STRICT;
}

static void fill_options(const struct wish *wish, const json_t *report,
                         struct replay_arguments *arguments, struct call_options *options)
{
    const json_t *cell = json_object_get(report, "cell");
    const json_t *limits = json_object_get(cell, "limits");
    uint64_t deadline_ms = (uint64_t)report_number(limits, "deadline_ms");
    *options = (struct call_options){.cell = CORDON_CELL_OPTIONS};
    options->library = report_text(cell, "library");
    options->texts = arguments->texts;
    options->text_count = arguments->count;
    options->json = wish->json;
    options->timeout_ns = wish->timeout_ns ? wish->timeout_ns : deadline_ms * 1000000u;
    options->cell.policy = policy_of(cell);
    options->cell.level = wish->is_inline ? CORDON_LEVEL_INLINE : CORDON_LEVEL_PROCESS;
    options->cell.memory_bytes = (uint64_t)report_number(limits, "memory_bytes");
    options->cell.call_bytes = (uint32_t)report_number(limits, "call_bytes");
    options->cell.start_ms = (uint64_t)report_number(limits, "start_ms");
    options->cell.spares = CORDON_NONE;
    options->cell.reports = ""; /* there is one */
}

static int replay(const struct wish *wish, const json_t *report)
{
    struct replay_arguments arguments;
    struct call_options options;
    struct message why;
    int r = replay_arguments_make(&arguments, report, &why);
    if (r < 0) {
        r = command_fail(EXIT_COULD_NOT, "this call cannot be replayed: %s", why.text);
    } else {
        fill_options(wish, report, &arguments, &options);
        if (wish->is_inline) {
            /* Nobody else ends a call here. */
            (void)alarm((unsigned)(options.timeout_ns / 1000000000u + 1));
        }
        r = call_run_plan(&options, arguments.plan, arguments.plan_bytes);
    }
    replay_arguments_free(&arguments);
    return r;
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
        "printed as `cordon call` prints it. Calls with handles, callbacks, arena memory or "
        "secrets cannot be\n"
        "replayed; the report says so.\n"
        "\n"
        "--gdb and --valgrind load the library without a sandbox, as this user: for libraries that "
        "are\n"
        "trusted that far. Then the exit status is the tool's.\n"
        "\n"
        "Exit status: as of `cordon call`; 1 also when the call cannot be replayed.\n",
    .options = replay_options,
    .run = run_replay,
};
