/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/findings_text.h"
#include "cli/output.h"
#include "config/config.h"

enum {
    OPTION_JSON,
    OPTION_HELP,
};

static const struct option_spec option_specs[] = {
    [OPTION_JSON] = {"json", NULL, "one JSON object on one line"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

struct check {
    const char *path;
    bool json;
    bool help;
};

static int parse(struct check *check, int argc, char *const *argv, struct message *why)
{
    struct options options = {.specs = option_specs, .argc = argc, .argv = argv};
    const char *value;
    for (;;) {
        int option = options_next(&options, &value, why);
        switch (option) {
        case OPTIONS_END:
            return check->path || check->help
                       ? 0
                       : message_set(why, -EINVAL, "which configuration? Give its FILE");
        case OPTION_JSON:
            check->json = true;
            break;
        case OPTION_HELP:
            check->help = true;
            break;
        case OPTIONS_OPERAND:
            if (check->path) {
                return message_set(why, -EINVAL, "check takes one FILE, '%s' is another", value);
            }
            check->path = value;
            break;
        default:
            return -EINVAL;
        }
    }
}

static void show_json(const struct findings *findings, const struct settings *settings,
                      struct json_out *out)
{
    json_out_object(out);
    json_out_key(out, "ok");
    json_out_bool(out, !findings_refuse(findings));
    json_out_key(out, "cells");
    json_out_uint(out, settings->cell_count);
    json_out_key(out, "findings");
    findings_to_json(findings, out);
    json_out_key(out, "left_out");
    json_out_uint(out, findings->dropped);
    json_out_object_end(out);
}

static int show(const struct check *check, const struct findings *findings,
                const struct settings *settings)
{
    struct json_out out = {0};
    if (check->json) {
        show_json(findings, settings, &out);
    } else {
        findings_to_text(findings, output_has_colours(), &out);
    }
    const char *text = json_out_text(&out);
    int r = !text         ? command_fail(EXIT_COULD_NOT, "not enough memory")
            : check->json ? output_format("%s\n", text)
            : findings_refuse(findings)
                ? output_text(text)
                : output_format("%s%s: nothing is wrong (%zu cell%s)\n", text, check->path,
                                settings->cell_count, settings->cell_count == 1 ? "" : "s");
    json_out_deinit(&out);
    return r;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct message why = {.text = ""};
    struct check check = {0};
    struct findings findings = {0};
    struct settings settings = {0};
    if (parse(&check, argc, argv, &why) != 0) {
        return command_fail(EXIT_USAGE, "%s", why.text);
    }
    if (check.help) {
        return command_help(command);
    }
    int r = config_load(check.path, &settings, &findings);
    int status = r == -ENOMEM ? command_fail(EXIT_COULD_NOT, "not enough memory")
                              : show(&check, &findings, &settings);
    if (status == EXIT_DONE && r != 0) {
        status = EXIT_COULD_NOT;
    }
    settings_deinit(&settings);
    findings_deinit(&findings);
    return status;
}

const struct command check_command = {
    .name = "check",
    .operands = "FILE",
    .summary = "Say what is wrong with a configuration of the gateway, or unsafe",
    .details = "Each finding is a line: FILE:LINE:COLUMN: SEVERITY: FIELD: SENTENCE. Exits with 0 "
               "when there\n"
               "are none but notes, with 1 when there are. Libraries are not loaded.\n",
    .options = option_specs,
    .run = run,
};
