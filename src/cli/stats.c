/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/duration.h"
#include "cli/figures.h"
#include "cli/inquiry.h"
#include "cli/output.h"
#include "cli/plain.h"
#include "cli/stats_table.h"

enum {
    OPTION_SOCKET,
    OPTION_WATCH,
    OPTION_ALL,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct option_spec option_specs[] = {
    [OPTION_SOCKET] = {"socket", "PATH", "where the daemon listens"},
    [OPTION_WATCH] = {"watch", "SECONDS", "again and again, each time what happened since"},
    [OPTION_ALL] = {"all", NULL, "methods without a call, too"},
    [OPTION_JSON] = {"json", NULL, "the answer of cordon.stats, on one line"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

struct wish {
    const char *socket;
    const char *cell;
    uint64_t watch_ns; /* 0: once */
    bool all;
    bool json;
    bool help;
};

static int parse(int argc, char *const *argv, struct wish *wish, struct message *why)
{
    struct options options = {.specs = option_specs, .argc = argc, .argv = argv};
    const char *value;
    for (;;) {
        int option = options_next(&options, &value, why);
        switch (option) {
        case OPTIONS_END:
            return 0;
        case OPTIONS_OPERAND:
            if (wish->cell) {
                return message_set(why, -EINVAL, "stats takes one cell, '%s' is another", value);
            }
            wish->cell = value;
            break;
        case OPTION_SOCKET:
            wish->socket = value;
            break;
        case OPTION_WATCH:
            if (duration_parse_seconds(value, &wish->watch_ns) != 0 ||
                wish->watch_ns < 100 * CLOCK_MS_NS) {
                return message_set(why, -EINVAL, "--watch takes seconds, 0.1 at least, not '%s'",
                                   value);
            }
            break;
        case OPTION_ALL:
            wish->all = true;
            break;
        case OPTION_JSON:
            wish->json = true;
            break;
        case OPTION_HELP:
            wish->help = true;
            break;
        default:
            return -EINVAL;
        }
    }
}

/* "14:03:22  up 3m 2s, 2 clients": above the tables of --watch. */
static int heading(const struct snapshot *now)
{
    char up[FIGURE_BYTES];
    char clock[16];
    time_t seconds = time(NULL);
    struct tm local;
    (void)localtime_r(&seconds, &local);
    (void)strftime(clock, sizeof clock, "%H:%M:%S", &local);
    return output_format("\n%s  up %s, %llu clients\n", clock, figure_duration(now->uptime_ms, up),
                         (unsigned long long)now->clients);
}

static int print_one(const struct wish *wish, struct json_value result,
                     const struct snapshot *before, const struct snapshot *now)
{
    if (wish->json) {
        return inquiry_print(result);
    }
    int r = before ? heading(now) : EXIT_DONE;
    return r == EXIT_DONE ? stats_table_print(before, now, wish->cell, wish->all) : r;
}

static int show(struct dialogue *dialogue, const struct wish *wish)
{
    struct snapshot *before = NULL;
    int r;
    do {
        struct snapshot *now = NULL;
        struct json_value result;
        r = inquiry_stats(dialogue, wish->socket, wish->cell, &now, &result);
        if (r == EXIT_DONE) {
            r = print_one(wish, result, before, now);
        }
        snapshot_free(before);
        before = now;
        if (r == EXIT_DONE && wish->watch_ns > 0) {
            struct timespec pause = clock_timespec(wish->watch_ns);
            (void)nanosleep(&pause, NULL);
        }
    } while (r == EXIT_DONE && wish->watch_ns > 0);
    snapshot_free(before);
    return r;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct message why;
    struct wish wish = {0};
    struct dialogue dialogue = {0};
    if (parse(argc, argv, &wish, &why) != 0) {
        return command_fail(EXIT_USAGE, "%s", why.text);
    }
    if (wish.help) {
        return command_help(command);
    }
    plain_start();
    int r = show(&dialogue, &wish);
    dialogue_close(&dialogue);
    return r;
}

const struct command stats_command = {
    .name = "stats",
    .operands = "[CELL]",
    .summary = "Show how often a running daemon's methods were called, and how that ended",
    .details = "CALLS/S, P50 and P99 are since the daemon's start; with --watch, since the table "
               "before.\n",
    .options = option_specs,
    .run = run,
};
