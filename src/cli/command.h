/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

/* Command: one subcommand of `cordon`, in a file of its own; main.c holds the table of them. */

#include "cli/options.h"

/* Exit statuses, the same for every command. */
enum command_exit {
    EXIT_DONE = 0,
    EXIT_COULD_NOT = 1, /* no such library or symbol, nothing to write to, ... */
    EXIT_USAGE = 2,     /* wrong usage, prototype or arguments */
    EXIT_CRASHED = 3,   /* crashed or aborted */
    EXIT_TIMED_OUT = 4,
    EXIT_REFUSED = 5,       /* denied, busy, stale, open */
    EXIT_READER_GONE = 141, /* as a program that SIGPIPE ended */
};

struct command {
    const char *name;
    const char *operands; /* "LIBRARY PROTOTYPE [ARG...]" */
    const char *summary;
    const char *details; /* paragraphs below the options; NULL: none */
    const struct option_spec *options;
    /* @argv after the command's name. Returns an enum command_exit. */
    int (*run)(const struct command *command, int argc, char *const *argv);
};

extern const struct command call_command;
extern const struct command bench_command;
extern const struct command check_command;
extern const struct command cells_command;
extern const struct command client_command;
extern const struct command describe_command;
extern const struct command doctor_command;
extern const struct command generate_command;
extern const struct command help_command;
extern const struct command reload_command;
extern const struct command replay_command;
extern const struct command report_command;
extern const struct command serve_command;
extern const struct command stats_command;
extern const struct command top_command;

/* All commands, ended by NULL. */
extern const struct command *const commands[];

/* The command called @name, or NULL with a sentence on standard error. */
const struct command *command_find(const char *name);

/* The text of `cordon COMMAND --help`, and of `cordon --help`, to standard output. */
int command_help(const struct command *command);
int command_overview(void);

/* "cordon: sentence" to standard error. Returns @exit_status. */
int command_fail(int exit_status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
