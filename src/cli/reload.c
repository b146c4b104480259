/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/findings_text.h"
#include "cli/inquiry.h"
#include "cli/output.h"
#include "cli/plain.h"
#include "gateway/request.h"

#define RELOAD_SECONDS 300u /* new cells are opened one after the other, each within its start_ms */
#define TEXT_BYTES     1024u

static const struct option_spec option_specs[] = INQUIRY_OPTIONS("cordon.reload");

/* A text of the daemon's, plain; "" if it is none. */
static const char *text_of(struct json_value value, char text[TEXT_BYTES])
{
    size_t length = 0;
    const char *foreign =
        json_value_kind(value) == JSON_KIND_STRING ? json_value_string(value, &length) : "";
    (void)plain_copy(text, TEXT_BYTES, foreign, length);
    return text;
}

static uint32_t number_of(struct json_value value)
{
    int64_t number = json_value_kind(value) == JSON_KIND_INT ? json_value_int(value) : 0;
    return number > 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
}

static void add_finding(struct findings *findings, struct json_value said)
{
    char file[TEXT_BYTES];
    char field[TEXT_BYTES];
    char sentence[TEXT_BYTES];
    struct json_value severity = json_value_get(said, "severity");
    findings_add(findings,
                 json_value_equals(severity, "note")     ? FINDING_NOTE
                 : json_value_equals(severity, "unsafe") ? FINDING_UNSAFE
                                                         : FINDING_ERROR,
                 text_of(json_value_get(said, "file"), file),
                 number_of(json_value_get(said, "line")), number_of(json_value_get(said, "column")),
                 text_of(json_value_get(said, "field"), field), "%s",
                 text_of(json_value_get(said, "sentence"), sentence));
}

/* What the daemon found, as `cordon check` shows it, on standard error. */
static void print_findings(struct json_value list)
{
    struct findings findings = {0};
    struct json_out text = {0};
    struct json_walk walk = json_walk(list);
    struct json_value said;
    while (json_walk_next(&walk, &said)) {
        add_finding(&findings, said);
    }
    findings_to_text(&findings, false, &text);
    if (text.length > 0 && json_out_text(&text)) {
        (void)fwrite(text.text, 1, text.length, stderr);
    }
    json_out_deinit(&text);
    findings_deinit(&findings);
}

static int print_names(const char *title, struct json_value names)
{
    char name[TEXT_BYTES];
    struct json_walk walk = json_walk(names);
    struct json_value each;
    const char *before = title;
    int r = EXIT_DONE;
    while (r == EXIT_DONE && json_walk_next(&walk, &each)) {
        r = output_format("%s%s", before, text_of(each, name));
        before = ", ";
    }
    return r == EXIT_DONE && before != title ? output_text("\n") : r;
}

static int print_cells(struct json_value cells, uint32_t *ret_kept)
{
    char name[TEXT_BYTES];
    char change[TEXT_BYTES];
    struct json_walk walk = json_walk(cells);
    struct json_value cell;
    int r = EXIT_DONE;
    *ret_kept = 0;
    while (r == EXIT_DONE && json_walk_next(&walk, &cell)) {
        struct json_value what = json_value_get(cell, "change");
        if (json_value_equals(what, "kept")) {
            (*ret_kept)++;
            continue;
        }
        r = output_format("%s: %s, generation %u\n", text_of(json_value_get(cell, "cell"), name),
                          text_of(what, change), number_of(json_value_get(cell, "generation")));
    }
    return r;
}

static int print(struct json_value result)
{
    uint32_t kept;
    struct json_value cells = json_value_get(result, "cells");
    struct json_value settings = json_value_get(result, "settings");
    struct json_value at_start = json_value_get(result, "at_start");
    bool same = json_value_count(settings) == 0 && json_value_count(at_start) == 0;
    int r = print_cells(cells, &kept);
    r = r == EXIT_DONE ? print_names("settings: ", settings) : r;
    r = r == EXIT_DONE ? print_names("when it is started anew: ", at_start) : r;
    if (r != EXIT_DONE) {
        return r;
    }
    return same && kept == json_value_count(cells)
               ? output_format("nothing has changed; %u cells go on\n", kept)
               : output_format("%u cells go on as they were\n", kept);
}

static int ask(struct dialogue *dialogue, const struct inquiry_wish *wish)
{
    struct message why = {.text = ""};
    struct dialogue_answer answer;
    uint64_t until_ns = clock_after_ns(RELOAD_SECONDS * CLOCK_SECOND_NS);
    int r = dialogue_open(dialogue, wish->socket, until_ns, &why);
    r = r == 0 ? dialogue_ask(dialogue, "cordon.reload", NULL, until_ns, &answer, &why) : r;
    if (r != 0) {
        return command_fail(dialogue_exit_of_error(r), "%s", why.text);
    }
    if (answer.code == CODE_REFUSED) {
        print_findings(json_value_get(answer.data, "findings"));
    }
    if (answer.code != 0) {
        return inquiry_fail(&answer);
    }
    return wish->json ? inquiry_print(answer.result) : print(answer.result);
}

static int run(const struct command *command, int argc, char *const *argv)
{
    return inquiry_run(command, argc, argv, ask);
}

const struct command reload_command = {
    .name = "reload",
    .operands = "",
    .summary = "Have a running daemon read its configuration again",
    .details =
        "Cells whose settings are equal go on; what has changed is replaced without losing a "
        "call.\nA configuration that is refused changes nothing: the findings are listed.\n",
    .options = option_specs,
    .run = run,
};
