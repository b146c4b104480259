/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/guess.h"
#include "cli/output.h"

#define HELP_COLUMN 24

int command_fail(int exit_status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("cordon: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return exit_status;
}

const struct command *command_find(const char *name)
{
    struct guess guess = guess_start(name, strlen(name));
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
        guess_consider(&guess, commands[i]->name);
    }
    if (guess_found(&guess)) {
        (void)command_fail(EXIT_USAGE, "no command '%s'; did you mean '%s'?", name,
                           guess_found(&guess));
    } else {
        (void)command_fail(EXIT_USAGE, "no command '%s'; 'cordon --help' lists them", name);
    }
    return NULL;
}

static int help_option(const struct option_spec *spec)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", spec->name, spec->value_name ? " " : "",
             spec->value_name ? spec->value_name : "");
    return output_format("  %-*s %s\n", HELP_COLUMN, left, spec->help);
}

int command_help(const struct command *command)
{
    int r = output_format("Usage: cordon %s [OPTION...] %s\n%s.\n\nOptions:\n", command->name,
                          command->operands, command->summary);
    for (const struct option_spec *spec = command->options; spec->name && r == EXIT_DONE; spec++) {
        r = help_option(spec);
    }
    if (r == EXIT_DONE && command->details) {
        r = output_format("\n%s", command->details);
    }
    return r;
}

int command_overview(void)
{
    int r = output_text("Usage: cordon COMMAND [OPTION...] [OPERAND...]\n"
                        "Call functions of native libraries in isolation.\n\nCommands:\n");
    for (size_t i = 0; commands[i] && r == EXIT_DONE; i++) {
        r = output_format("  %-*s %s\n", HELP_COLUMN, commands[i]->name, commands[i]->summary);
    }
    if (r != EXIT_DONE) {
        return r;
    }
    return output_text(
        "\n'cordon help COMMAND' says more, 'cordon --version' which Cordon this is.\n"
        "Example: cordon call libm.so.6 'double cos(double x)' 0.5\n");
}

static int run_help(const struct command *command, int argc, char *const *argv)
{
    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        return command_help(command);
    }
    if (argc == 0) {
        return command_overview();
    }
    if (argc > 1) {
        return command_fail(EXIT_USAGE, "help takes one command, %d given", argc);
    }
    const struct command *wanted = command_find(argv[0]);
    return wanted ? command_help(wanted) : EXIT_USAGE;
}

static const struct option_spec no_options[] = {{"help", NULL, "this text"}, {NULL, NULL, NULL}};

const struct command help_command = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "Say how a command is used",
    .options = no_options,
    .run = run_help,
};
