/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/message.h"
#include "cli/command.h"
#include "json/json_out.h"
#include "cli/output.h"
#include "cordon/cell.h"
#include "cordon/platform.h"
#include "cordon/report.h"

#define NOBODY        65534u
#define NAME_COLUMN   16
#define MEANS_COLUMN  31
#define TERMINAL_WIDE 100
#define REPORTS_MAX   1024

enum {
    OPTION_JSON,
    OPTION_USER,
    OPTION_KEEPER,
    OPTION_HELP,
};

static const struct option_spec option_specs[] = {
    [OPTION_JSON] = {"json", NULL, "one JSON object"},
    [OPTION_USER] = {"user", NULL, "as an ordinary user (nobody) would see it; for root"},
    [OPTION_KEEPER] = {"keeper", "PATH", "the keeper program, instead of the built-in one"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

/* What is to be said, found before anything is printed. */
struct findings {
    struct cordon_platform *platform;
    uint32_t promised; /* enum cordon_isolation: of a strict cell that was opened here */
    int opened;        /* 0, or why there is no such cell */
    struct cordon_error error;
    struct utsname system;
    char reports[PATH_MAX]; /* directory of reports; "": none for this user */
    int report_count;       /* or a negative errno */
    uint32_t missing;       /* mechanisms, parts of them included */
};

static const char *const state_names[] = {
    [CORDON_PLATFORM_MISSING] = "missing",
    [CORDON_PLATFORM_PARTLY] = "partly",
    [CORDON_PLATFORM_THERE] = "yes",
};

/* ---- Finding out ------------------------------------------------------------------------------- */

/* A changed user is not dumpable, and may then not write its own namespaces' maps. */
static int become_nobody(void)
{
    if (geteuid() != 0) {
        return command_fail(EXIT_USAGE, "--user is for root: this is an ordinary user already");
    }
    if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) != 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) {
        return command_fail(EXIT_COULD_NOT, "cannot become nobody: %s", strerror(errno));
    }
    return EXIT_DONE;
}

/* The proof of all: a cell is opened, and says what is in force. */
static void open_strict_cell(const char *keeper_path, struct findings *findings)
{
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    struct cordon_cell *cell = NULL;
    options.library = "";
    options.keeper_path = keeper_path;
    findings->opened = cordon_cell_open(&options, &cell, &findings->error);
    if (findings->opened == 0) {
        findings->promised = cordon_cell_isolation(cell);
        cordon_cell_close(cell);
    }
}

static void find_reports(struct findings *findings)
{
    struct cordon_report_entry entries[REPORTS_MAX];
    int r = cordon_report_path(NULL, 0, 0, findings->reports, sizeof findings->reports);
    char *slash = r == 0 ? strrchr(findings->reports, '/') : NULL;
    *(slash ? slash : findings->reports) = '\0';
    findings->report_count = r < 0 ? r : cordon_report_list(NULL, entries, REPORTS_MAX);
}

static int find_out(const char *keeper_path, struct findings *findings)
{
    int r = cordon_platform_examine(keeper_path, &findings->platform, &findings->error);
    if (r < 0) {
        return command_fail(EXIT_COULD_NOT, "%s", findings->error.text);
    }
    (void)uname(&findings->system);
    find_reports(findings);
    const struct cordon_platform_mechanism *row;
    for (size_t i = 0; (row = cordon_platform_mechanism(findings->platform, i)); i++) {
        findings->missing += row->state != CORDON_PLATFORM_THERE ? 1u : 0u;
    }
    open_strict_cell(keeper_path, findings);
    return EXIT_DONE;
}

/* ---- For machines ------------------------------------------------------------------------------ */

static void put_string(struct json_out *out, const char *key, const char *value)
{
    json_out_key(out, key);
    json_out_text_bytes(out, value, strlen(value));
}

static void put_promises(struct json_out *out, const char *key, uint32_t bits, bool wanted)
{
    json_out_key(out, key);
    json_out_array(out);
    for (uint32_t bit = 1; bit < CORDON_BEST_EFFORT; bit <<= 1) {
        const char *name = cordon_isolation_name(bit);
        if (name && ((bits & bit) != 0) == wanted) {
            json_out_string(out, name);
        }
    }
    json_out_array_end(out);
}

static void put_mechanisms(struct json_out *out, const struct cordon_platform *platform)
{
    const struct cordon_platform_mechanism *row;
    json_out_key(out, "mechanisms");
    json_out_array(out);
    for (size_t i = 0; (row = cordon_platform_mechanism(platform, i)); i++) {
        json_out_object(out);
        put_string(out, "name", row->name);
        put_string(out, "in_force", state_names[row->state]);
        if (row->version) {
            json_out_key(out, "version");
            json_out_uint(out, row->version);
        }
        if (row->error) {
            put_string(out, "errno",
                       strerrorname_np(row->error) ? strerrorname_np(row->error) : "?");
        }
        put_string(out, "why", row->why);
        put_string(out, "means", row->meaning);
        json_out_key(out, "requirable");
        json_out_bool(out, row->mechanism != 0);
        put_promises(out, "promises", row->isolation, true);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void put_programs(struct json_out *out, const struct cordon_platform *platform)
{
    const struct cordon_platform_program *program;
    json_out_key(out, "programs");
    json_out_array(out);
    for (size_t i = 0; (program = cordon_platform_program(platform, i)); i++) {
        json_out_object(out);
        put_string(out, "name", program->name);
        put_string(out, "from", program->bytes ? "built-in" : program->error ? "missing" : "file");
        put_string(out, "path", program->path);
        json_out_key(out, "bytes");
        json_out_uint(out, program->bytes);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static int print_json(const struct findings *findings)
{
    struct json_out out = {0};
    json_out_object(&out);
    put_string(&out, "cordon", CORDON_VERSION);
    put_string(&out, "kernel", findings->system.release);
    put_string(&out, "machine", findings->system.machine);
    json_out_key(&out, "user");
    json_out_uint(&out, geteuid());
    json_out_key(&out, "complete");
    json_out_bool(&out, findings->missing == 0 && findings->opened == 0);
    put_mechanisms(&out, findings->platform);
    put_programs(&out, findings->platform);
    json_out_key(&out, "reports");
    json_out_object(&out);
    put_string(&out, "directory", findings->reports);
    json_out_key(&out, "count");
    json_out_int(&out, findings->report_count > 0 ? findings->report_count : 0);
    json_out_object_end(&out);
    json_out_key(&out, "strict_cell");
    json_out_object(&out);
    json_out_key(&out, "opens");
    json_out_bool(&out, findings->opened == 0);
    if (findings->opened == 0) {
        put_promises(&out, "promises", findings->promised, true);
        put_promises(&out, "lacks", findings->promised, false);
    } else {
        put_string(&out, "message", findings->error.text);
    }
    json_out_object_end(&out);
    json_out_object_end(&out);
    const char *text = json_out_text(&out);
    int r = text ? output_format("%s\n", text) : command_fail(EXIT_COULD_NOT, "no memory");
    json_out_deinit(&out);
    return r;
}

/* ---- For people -------------------------------------------------------------------------------- */

static const char *colour(enum cordon_platform_state state)
{
    static const char *const codes[] = {
        [CORDON_PLATFORM_MISSING] = "\033[31m",
        [CORDON_PLATFORM_PARTLY] = "\033[33m",
        [CORDON_PLATFORM_THERE] = "\033[32m",
    };
    return output_has_colours() ? codes[state] : "";
}

static const char *no_colour(void)
{
    return output_has_colours() ? "\033[0m" : "";
}

/* @text from column @indent on, broken at spaces; the first line's indent is there already. */
static int print_wrapped(const char *text, int indent)
{
    size_t room = (size_t)(TERMINAL_WIDE - indent);
    int r = EXIT_DONE;
    while (r == EXIT_DONE && strlen(text) > room) {
        size_t cut = room;
        while (cut > 0 && text[cut] != ' ') {
            cut--;
        }
        cut = cut ? cut : room;
        r = output_format("%.*s\n%*s", (int)cut, text, indent, "");
        text += cut + (text[cut] == ' ');
    }
    return r == EXIT_DONE ? output_format("%s\n", text) : r;
}

static int print_mechanism(const struct cordon_platform_mechanism *row)
{
    char state[16];
    if (row->version) {
        (void)snprintf(state, sizeof state, "%s (%u)", state_names[row->state], row->version);
    } else {
        (void)snprintf(state, sizeof state, "%s", state_names[row->state]);
    }
    int r = output_format("  %-*s %s%-12s%s", NAME_COLUMN, row->name, colour(row->state), state,
                          no_colour());
    r = r == EXIT_DONE ? print_wrapped(row->meaning, MEANS_COLUMN) : r;
    if (r == EXIT_DONE && *row->why) {
        r = output_format("%*swhy: ", MEANS_COLUMN, "");
        r = r == EXIT_DONE ? print_wrapped(row->why, MEANS_COLUMN + 5) : r;
    }
    return r;
}

static int print_program(const struct cordon_platform_program *program)
{
    if (program->bytes) {
        return output_format("  %-*s built-in    %zu bytes\n", NAME_COLUMN, program->name,
                             program->bytes);
    }
    return output_format(
        "  %-*s %-11s %s%s%s\n", NAME_COLUMN, program->name, program->error ? "missing" : "file",
        program->path, program->error ? ": " : "", program->error ? strerror(program->error) : "");
}

static int print_names(const char *before, uint32_t bits, bool wanted)
{
    char line[512] = "";
    size_t length = 0;
    for (uint32_t bit = 1; bit < CORDON_BEST_EFFORT; bit <<= 1) {
        const char *name = cordon_isolation_name(bit);
        if (name && ((bits & bit) != 0) == wanted && length < sizeof line) {
            length += (size_t)snprintf(line + length, sizeof line - length, "%s%s",
                                       length ? " " : "", name);
        }
    }
    if (length == 0) {
        return EXIT_DONE;
    }
    int r = output_format("  %-*s ", NAME_COLUMN, before);
    return r == EXIT_DONE ? print_wrapped(line, NAME_COLUMN + 3) : r;
}

static int print_reports(const struct findings *findings)
{
    int count = findings->report_count;
    if (!*findings->reports) {
        return output_text("\nReports\n  none: this user has no home directory\n");
    }
    if (count < 0 && count != -ENOENT) {
        return output_format("\nReports\n  %s cannot be read: %s\n", findings->reports,
                             strerror(-count));
    }
    return output_format("\nReports\n  %d in %s\n", count < 0 ? 0 : count, findings->reports);
}

static int print_cell(const struct findings *findings)
{
    int r = output_text("\nA cell with policy strict\n");
    if (r == EXIT_DONE && findings->opened != 0) {
        return output_format("  cannot be opened: %s\n", findings->error.text);
    }
    r = r == EXIT_DONE ? print_names("promises", findings->promised, true) : r;
    return r == EXIT_DONE ? print_names("lacks", findings->promised, false) : r;
}

static int print_table(const struct findings *findings)
{
    const struct cordon_platform_mechanism *row;
    const struct cordon_platform_program *program;
    int r = output_format("cordon %s on Linux %s (%s), user %u\n\nMechanisms\n", CORDON_VERSION,
                          findings->system.release, findings->system.machine, geteuid());
    for (size_t i = 0; r == EXIT_DONE && (row = cordon_platform_mechanism(findings->platform, i));
         i++) {
        r = print_mechanism(row);
    }
    r = r == EXIT_DONE ? output_text("\nPrograms\n") : r;
    for (size_t i = 0; r == EXIT_DONE && (program = cordon_platform_program(findings->platform, i));
         i++) {
        r = print_program(program);
    }
    r = r == EXIT_DONE ? print_reports(findings) : r;
    r = r == EXIT_DONE ? print_cell(findings) : r;
    if (r != EXIT_DONE) {
        return r;
    }
    return findings->missing
               ? output_format("\n%u of the mechanisms %s missing, at least in part.\n",
                               findings->missing, findings->missing == 1 ? "is" : "are")
               : output_text("\nNothing is missing.\n");
}

/* ---- The command ------------------------------------------------------------------------------- */

static int examine(const char *keeper_path, bool json)
{
    struct findings findings = {0};
    int r = find_out(keeper_path, &findings);
    if (r == EXIT_DONE) {
        r = json ? print_json(&findings) : print_table(&findings);
    }
    cordon_platform_free(findings.platform);
    if (r != EXIT_DONE) {
        return r;
    }
    return findings.missing == 0 && findings.opened == 0 ? EXIT_DONE : EXIT_COULD_NOT;
}

static int run_doctor(const struct command *command, int argc, char *const *argv)
{
    struct options options = {.specs = option_specs, .argc = argc, .argv = argv};
    const char *keeper_path = NULL;
    const char *value = NULL;
    struct message why;
    bool json = false;
    bool user = false;
    for (int option; (option = options_next(&options, &value, &why)) != OPTIONS_END;) {
        switch (option) {
        case OPTION_JSON:
            json = true;
            break;
        case OPTION_USER:
            user = true;
            break;
        case OPTION_KEEPER:
            keeper_path = value;
            break;
        case OPTION_HELP:
            return command_help(command);
        case OPTIONS_WRONG:
            return command_fail(EXIT_USAGE, "%s", why.text);
        default:
            return command_fail(EXIT_USAGE, "doctor takes no operands");
        }
    }
    int r = user ? become_nobody() : EXIT_DONE;
    return r == EXIT_DONE ? examine(keeper_path, json) : r;
}

const struct command doctor_command = {
    .name = "doctor",
    .operands = "",
    .summary = "Say which mechanisms are in force here, which are missing, and why",
    .details = "Exits with 0 if nothing is missing, 1 if something is, or cannot be examined.\n",
    .options = option_specs,
    .run = run_doctor,
};
