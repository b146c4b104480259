/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_rig.h"
#include "cli/command.h"
#include "cli/guess.h"
#include "json/json_out.h"
#include "cli/output.h"

enum {
    OPTION_JSON,
    OPTION_QUICK,
    OPTION_NAMES,
    OPTION_KEEPER,
    OPTION_WORKER,
    OPTION_HELP,
};

static const struct option_spec option_specs[] = {
    [OPTION_JSON] = {"json", NULL, "one JSON object on one line"},
    [OPTION_QUICK] = {"quick", NULL, "fewer rounds: for a look, not for a record"},
    [OPTION_NAMES] = {"names", NULL, "the names of the questions, one on a line"},
    [OPTION_KEEPER] = {"keeper", "PATH", "the keeper program, instead of the built-in one"},
    [OPTION_WORKER] = {"worker", "PATH", "the worker program, instead of the built-in one"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

struct bench_options {
    const char *keeper_path;
    const char *worker_path;
    const char **names;
    size_t name_count;
    bool json;
    bool quick;
    bool list;
    bool help;
};

/* The program that does nothing: installed, beside this one in a build, or the nearest thing to it. */
static const char *find_empty_program(void)
{
    static const char *const paths[] = {BENCH_EMPTY_BUILT, BENCH_EMPTY_INSTALLED, "/bin/true"};
    size_t i = 0;
    while (i < 2 && access(paths[i], X_OK) != 0) {
        i++;
    }
    return paths[i];
}

static const struct rig_question *find_question(const char *name)
{
    struct guess guess = guess_start(name, strlen(name));
    for (const struct rig_question *question = rig_questions; question->name; question++) {
        if (strcmp(question->name, name) == 0) {
            return question;
        }
        guess_consider(&guess, question->name);
    }
    const char *near = guess_found(&guess);
    if (near) {
        (void)command_fail(EXIT_USAGE, "no question '%s'; did you mean '%s'?", name, near);
    } else {
        (void)command_fail(EXIT_USAGE, "no question '%s'; 'cordon bench --names' lists them", name);
    }
    return NULL;
}

static bool is_met(const struct rig_line *line)
{
    return line->mark == 0 || line->ratio <= line->mark;
}

static int print_line(const struct rig_line *line)
{
    bool colours = output_has_colours();
    const char *colour = !colours ? "" : is_met(line) ? "\033[32m" : "\033[31m";
    char mark[16] = "-";
    if (line->mark > 0) {
        snprintf(mark, sizeof mark, "%.2f", line->mark);
    }
    return output_format("%-16s %12.1f %-7s %12.1f %8.2f %6s  %s%-7s%s  %s\n", line->name,
                         line->value, line->unit, line->floor, line->ratio, mark, colour,
                         line->mark == 0 ? ""
                         : is_met(line)  ? "met"
                                         : "not met",
                         colours ? "\033[0m" : "", line->floor_text);
}

static int print_table(const struct rig *rig, double busy_share)
{
    int r = output_format("%-16s %12s %-7s %12s %8s %6s  %-7s  %s\n", "question", "value", "",
                          "floor", "ratio", "mark", "", "held against");
    for (uint32_t i = 0; i < rig->line_count && r == EXIT_DONE; i++) {
        r = print_line(&rig->lines[i]);
    }
    return r == EXIT_DONE ? output_format("CPUs %.0f %% busy, caller on %d, worker on %d\n",
                                          busy_share * 100, rig->host_cpu, rig->worker_cpu)
                          : r;
}

static double rounded(double value)
{
    return round(value * 1000) / 1000;
}

static int print_json(const struct rig *rig, double busy_share)
{
    struct json_out out = {0};
    json_out_object(&out);
    json_out_key(&out, "busy");
    json_out_double(&out, rounded(busy_share));
    json_out_key(&out, "lines");
    json_out_array(&out);
    for (uint32_t i = 0; i < rig->line_count; i++) {
        const struct rig_line *line = &rig->lines[i];
        json_out_object(&out);
        json_out_key(&out, "name");
        json_out_string(&out, line->name);
        json_out_key(&out, "unit");
        json_out_string(&out, line->unit);
        json_out_key(&out, "value");
        json_out_double(&out, rounded(line->value));
        json_out_key(&out, "floor");
        json_out_double(&out, rounded(line->floor));
        json_out_key(&out, "held_against");
        json_out_string(&out, line->floor_text);
        json_out_key(&out, "ratio");
        json_out_double(&out, rounded(line->ratio));
        if (line->mark > 0) {
            json_out_key(&out, "mark");
            json_out_double(&out, line->mark);
            json_out_key(&out, "met");
            json_out_bool(&out, is_met(line));
        }
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    const char *text = json_out_text(&out);
    int r = text ? output_format("%s\n", text) : command_fail(EXIT_COULD_NOT, "no memory");
    json_out_deinit(&out);
    return r;
}

static bool is_asked(const struct bench_options *options, const char *name)
{
    for (size_t i = 0; i < options->name_count; i++) {
        if (strcmp(options->names[i], name) == 0) {
            return true;
        }
    }
    return options->name_count == 0;
}

static int ask(const struct bench_options *options)
{
    struct rig *rig = malloc(sizeof *rig);
    if (!rig) {
        return command_fail(EXIT_COULD_NOT, "no memory");
    }
    rig_init(rig, options->quick, find_empty_program());
    rig->cell.keeper_path = options->keeper_path;
    rig->cell.worker_path = options->worker_path;
    struct measure_busy before = measure_busy_now();
    int r = EXIT_DONE;
    for (const struct rig_question *question = rig_questions; question->name; question++) {
        rig->error.text[0] = '\0';
        if (is_asked(options, question->name) && question->ask(rig) < 0) {
            r = command_fail(EXIT_COULD_NOT, "bench %s: %s", question->name, rig->error.text);
        }
    }
    double busy_share = measure_busy_share(before, measure_busy_now());
    int printed = options->json ? print_json(rig, busy_share) : print_table(rig, busy_share);
    free(rig);
    return printed == EXIT_DONE ? r : printed;
}

static int list_names(void)
{
    int r = EXIT_DONE;
    for (const struct rig_question *question = rig_questions; question->name && r == EXIT_DONE;
         question++) {
        r = output_format("%s\n", question->name);
    }
    return r;
}

static int bench_help(const struct command *command)
{
    int r = command_help(command);
    r = r == EXIT_DONE ? output_text("\nQuestions:\n") : r;
    for (const struct rig_question *question = rig_questions; question->name && r == EXIT_DONE;
         question++) {
        r = output_format("  %-24s %s\n", question->name, question->text);
    }
    return r;
}

/* Returns EXIT_DONE, or EXIT_USAGE after a sentence. */
static int parse_options(int argc, char *const *argv, struct bench_options *ret_options)
{
    struct options options = {.specs = option_specs, .argc = argc, .argv = argv};
    const char *value = NULL;
    struct message why;
    for (int option; (option = options_next(&options, &value, &why)) != OPTIONS_END;) {
        switch (option) {
        case OPTION_JSON:
            ret_options->json = true;
            break;
        case OPTION_QUICK:
            ret_options->quick = true;
            break;
        case OPTION_NAMES:
            ret_options->list = true;
            break;
        case OPTION_KEEPER:
            ret_options->keeper_path = value;
            break;
        case OPTION_WORKER:
            ret_options->worker_path = value;
            break;
        case OPTION_HELP:
            ret_options->help = true;
            break;
        case OPTIONS_OPERAND:
            if (!find_question(value)) {
                return EXIT_USAGE;
            }
            ret_options->names[ret_options->name_count++] = value;
            break;
        default:
            return command_fail(EXIT_USAGE, "%s", why.text);
        }
    }
    return EXIT_DONE;
}

static int run_bench(const struct command *command, int argc, char *const *argv)
{
    struct bench_options options = {.names = calloc((size_t)argc + 1, sizeof *options.names)};
    if (!options.names) {
        return command_fail(EXIT_COULD_NOT, "no memory");
    }
    int r = parse_options(argc, argv, &options);
    if (r == EXIT_DONE) {
        r = options.help ? bench_help(command) : options.list ? list_names() : ask(&options);
    }
    free(options.names);
    return r;
}

const struct command bench_command = {
    .name = "bench",
    .operands = "[NAME...]",
    .summary = "Measure isolated calls against what the machine can do",
    .options = option_specs,
    .run = run_bench,
};
