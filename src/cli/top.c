/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/duration.h"
#include "cli/output.h"
#include "cli/plain.h"
#include "cli/top_json.h"
#include "cli/top_screen.h"
#include "cli/top_view.h"

#define INTERVAL_MIN_NS (100 * CLOCK_MS_NS)
#define ONCE_NS         (10 * CLOCK_SECOND_NS) /* most that one table waits for its daemon */

enum {
    OPTION_SOCKET,
    OPTION_INTERVAL,
    OPTION_ONCE,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct option_spec option_specs[] = {
    [OPTION_SOCKET] = {"socket", "PATH", "where the daemon listens"},
    [OPTION_INTERVAL] = {"interval", "SECONDS", "how often it is asked (1)"},
    [OPTION_ONCE] = {"once", NULL, "one table of one interval, and no more"},
    [OPTION_JSON] = {"json", NULL, "one JSON object each interval, one on a line"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

struct wish {
    const char *socket;
    uint64_t interval_ns;
    bool once;
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
        case OPTION_SOCKET:
            wish->socket = value;
            break;
        case OPTION_INTERVAL:
            if (duration_parse_seconds(value, &wish->interval_ns) != 0 ||
                wish->interval_ns < INTERVAL_MIN_NS) {
                return message_set(why, -EINVAL, "--interval takes seconds, 0.1 at least, not '%s'",
                                   value);
            }
            break;
        case OPTION_ONCE:
            wish->once = true;
            break;
        case OPTION_JSON:
            wish->json = true;
            break;
        case OPTION_HELP:
            wish->help = true;
            break;
        default:
            return option == OPTIONS_OPERAND
                       ? message_set(why, -EINVAL, "top takes no operand, '%s' given", value)
                       : -EINVAL;
        }
    }
}

/* Until there is a whole interval more. Returns an enum command_exit. */
static int await_interval(struct source *source)
{
    const struct snapshot *last = source->now;
    uint64_t until_ns = clock_after_ns(source->interval_ns + ONCE_NS);
    for (;;) {
        (void)source_turn(source);
        if (source->trouble_ns != 0) {
            return command_fail(EXIT_COULD_NOT, "%s", source->trouble.text);
        }
        if (source->now != last && source->before) {
            return EXIT_DONE;
        }
        uint64_t now_ns = clock_now_ns();
        uint64_t due_ns = source_due_ns(source);
        due_ns = due_ns < until_ns ? due_ns : until_ns;
        if (now_ns >= until_ns) {
            return command_fail(EXIT_TIMED_OUT, "the daemon did not answer in time");
        }
        struct pollfd poll = {.fd = source_fd(source), .events = POLLIN};
        struct timespec left = clock_timespec(due_ns > now_ns ? due_ns - now_ns : 0);
        (void)ppoll(&poll, 1, &left, NULL);
    }
}

static int print_table(const struct source *source)
{
    struct message line;
    struct table table;
    bool reverse;
    view_daemon(source, table_terminal_width(), &line);
    int r = output_format("%s\n\n", line.text);
    table_init(&table, view_columns(VIEW_CELLS));
    view_fill(VIEW_CELLS, source, NULL, &table);
    size_t column = view_first_sort(VIEW_CELLS, &reverse);
    table_sort(&table, column, reverse);
    r = r == EXIT_DONE ? table_print(&table) : r;
    table_deinit(&table);
    return r;
}

/* Without a screen: a table, or lines of JSON. */
static int print(struct source *source, const struct wish *wish)
{
    int r;
    do {
        r = await_interval(source);
        if (r == EXIT_DONE) {
            r = wish->json ? top_json_print(source) : print_table(source);
        }
    } while (r == EXIT_DONE && wish->json && !wish->once);
    return r;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct message why;
    struct wish wish = {.interval_ns = CLOCK_SECOND_NS};
    if (parse(argc, argv, &wish, &why) != 0) {
        return command_fail(EXIT_USAGE, "%s", why.text);
    }
    if (wish.help) {
        return command_help(command);
    }
    plain_start();
    static struct source source; /* large */
    source.socket = wish.socket;
    source.interval_ns = wish.interval_ns;
    bool live = !wish.once && !wish.json && output_is_terminal() && isatty(STDIN_FILENO);
    int r = live ? screen_run(&source) : print(&source, &wish);
    source_deinit(&source);
    return r;
}

const struct command top_command = {
    .name = "top",
    .operands = "",
    .summary = "Watch a running daemon: cells, workers, calls, times, crashes",
    .details = "On a terminal a live table: Enter opens a cell's methods, workers and reports, ? "
               "lists the keys.\n"
               "Elsewhere one table, as with --once.\n",
    .options = option_specs,
    .run = run,
};
