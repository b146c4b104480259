/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/report_file.h"
#include "cli/report_text.h"
#include "cordon/report.h"

#define LISTED_MAX 4096u

enum {
    OPTION_DIRECTORY,
    OPTION_JSON,
    OPTION_FRAME,
    OPTION_PATH,
    OPTION_HELP,
};

static const struct option_spec report_options[] = {
    [OPTION_DIRECTORY] = {"directory", "DIR", "reports in DIR, not in this user's directory"},
    [OPTION_JSON] = {"json", NULL, "as JSON; the list: one object on each line"},
    [OPTION_FRAME] = {"frame", NULL, "with --json: the call's request as well, for replay"},
    [OPTION_PATH] = {"path", NULL, "only say where the file is"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

struct wish {
    const char *directory;
    const char *report; /* NULL: list */
    bool json;
    bool frame;
    bool path;
    bool help;
};

static int parse(int argc, char *const *argv, struct wish *wish, struct message *why)
{
    struct options options = {.specs = report_options, .argc = argc, .argv = argv};
    for (;;) {
        const char *value = NULL;
        int option = options_next(&options, &value, why);
        switch (option) {
        case OPTIONS_END:
            return 0;
        case OPTIONS_WRONG:
            return -EINVAL;
        case OPTIONS_OPERAND:
            if (wish->report) {
                return message_set(why, -EINVAL, "one REPORT at a time");
            }
            wish->report = value;
            break;
        case OPTION_DIRECTORY:
            wish->directory = value;
            break;
        case OPTION_JSON:
            wish->json = true;
            break;
        case OPTION_FRAME:
            wish->frame = true;
            break;
        case OPTION_PATH:
            wish->path = true;
            break;
        default:
            wish->help = true;
            break;
        }
    }
}

/* What the caller passed stays in the file. */
static void leave_out_frame(json_t *report)
{
    json_t *replay = json_object_get(json_object_get(report, "call"), "replay");
    (void)json_object_del(replay, "frame");
    (void)json_object_del(replay, "words");
    (void)json_object_del(replay, "plan");
    (void)json_object_del(json_object_get(replay, "session"), "recording");
}

static int print_json(const json_t *json, size_t flags)
{
    char *text = json_dumps(json, flags | JSON_ENSURE_ASCII);
    int r = text ? output_format("%s\n", text) : command_fail(EXIT_COULD_NOT, "no memory");
    free(text);
    return r;
}

static int show(const struct wish *wish)
{
    json_t *report = NULL;
    struct message why;
    int r = report_file_load(wish->report, wish->directory, &report, &why);
    if (r < 0) {
        return command_fail(r == -EINVAL ? EXIT_USAGE : EXIT_COULD_NOT, "%s", why.text);
    }
    if (wish->json && !wish->frame) {
        leave_out_frame(report);
    }
    r = wish->json ? print_json(report, JSON_INDENT(1)) : report_text_show(report);
    json_decref(report);
    return r;
}

static int show_path(const struct wish *wish)
{
    char path[4096];
    json_t *report = NULL;
    struct message why;
    int r = report_file_load(wish->report, wish->directory, &report, &why);
    const char *id = r == 0 ? report_text(report, "id") : "";
    const char *dash = strchr(id, '-');
    r = r == 0 ? cordon_report_path(wish->directory, strtoull(id, NULL, 16),
                                    dash ? (uint32_t)strtoul(dash + 1, NULL, 10) : 0, path,
                                    sizeof path)
               : r;
    json_decref(report);
    return r < 0 ? command_fail(r == -EINVAL ? EXIT_USAGE : EXIT_COULD_NOT, "%s", why.text)
                 : output_format("%s\n", path);
}

/* What a line of the list says, as the report would. */
static json_t *outline(const struct cordon_report *report)
{
    char id[32];
    char when[40] = "";
    struct tm parts;
    time_t seconds = (time_t)(report->when_ns / 1000000000u);
    (void)snprintf(id, sizeof id, report->part ? "%016llx-%u" : "%016llx",
                   (unsigned long long)report->id, report->part);
    if (gmtime_r(&seconds, &parts)) {
        size_t length = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &parts);
        (void)snprintf(when + length, sizeof when - length, ".%03uZ",
                       (unsigned)(report->when_ns / 1000000u % 1000u));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", id, "when", when, "what", report->what,
                     "summary", report->summary, "library", report->library, "function",
                     report->function);
}

static int list_one(const struct wish *wish, const struct cordon_report_entry *entry)
{
    struct cordon_report report;
    /* One that was removed meanwhile is none. */
    if (cordon_report_load(wish->directory, entry->id, entry->part, &report, NULL) < 0) {
        return EXIT_DONE;
    }
    json_t *line = outline(&report);
    int r = !line        ? EXIT_DONE /* a text that is no UTF-8: not of our making */
            : wish->json ? print_json(line, JSON_COMPACT)
                         : report_text_line(line);
    json_decref(line);
    return r;
}

static int list(const struct wish *wish)
{
    struct cordon_report_entry *entries = calloc(LISTED_MAX, sizeof *entries);
    int count = entries ? cordon_report_list(wish->directory, entries, LISTED_MAX) : -ENOMEM;
    int r = EXIT_DONE;
    if (count < 0 && count != -ENOENT) {
        r = command_fail(EXIT_COULD_NOT, "the directory for reports: %s", strerror(-count));
    }
    if (count == -ENOENT && wish->directory) {
        r = command_fail(EXIT_COULD_NOT, "%s: %s", wish->directory, strerror(ENOENT));
    }
    for (int i = 0; i < count && r == EXIT_DONE; i++) {
        r = list_one(wish, &entries[i]);
    }
    free(entries);
    return r;
}

static int run_report(const struct command *command, int argc, char *const *argv)
{
    struct wish wish = {0};
    struct message why;
    int r = output_start();
    if (r < 0 || parse(argc, argv, &wish, &why) < 0) {
        return r < 0 ? command_fail(EXIT_COULD_NOT, "no standard output: %s", strerror(-r))
                     : command_fail(EXIT_USAGE, "%s", why.text);
    }
    if (wish.help) {
        return command_help(command);
    }
    if (wish.path && !wish.report) {
        return command_fail(EXIT_USAGE, "--path needs a REPORT; see 'cordon report --help'");
    }
    return wish.path ? show_path(&wish) : wish.report ? show(&wish) : list(&wish);
}

const struct command report_command = {
    .name = "report",
    .operands = "[REPORT]",
    .summary = "List and show reports of crashes, hangs and violations",
    .details = "REPORT is an id, `last`, or the path of a file (with a slash). Without one all are "
               "listed,\n"
               "oldest first. Reports lie in $XDG_STATE_HOME/cordon/reports, else "
               "~/.local/state/cordon/reports.\n"
               "\n"
               "Exit status: 0 done, 1 no such report, 2 wrong usage.\n",
    .options = report_options,
    .run = run_report,
};
