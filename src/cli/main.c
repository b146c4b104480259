/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/command.h"
#include "cli/output.h"

const struct command *const commands[] = {
    &call_command,     &describe_command, &report_command, &replay_command,
    &doctor_command,   &serve_command,    &check_command,  &reload_command,
    &client_command,   &cells_command,    &stats_command,  &top_command,
    &generate_command, &bench_command,    &help_command,   NULL,
};

static int print_version(void)
{
    return output_text("cordon " CORDON_VERSION "\n");
}

int main(int argc, char **argv)
{
    output_prepare();
    if (argc < 2) {
        return command_fail(EXIT_USAGE, "no command; 'cordon --help' lists them");
    }
    if (strcmp(argv[1], "--version") == 0) {
        return print_version();
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return command_overview();
    }
    const struct command *command = command_find(argv[1]);
    return command ? command->run(command, argc - 2, argv + 2) : EXIT_USAGE;
}
