/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/inquiry.h"
#include "cli/output.h"
#include "cli/plain.h"
#include "json/bytes.h"
#include "json/json_out.h"

#define SHOWN_BYTES 32u /* of bytes that are no text, on a terminal */

/* Whether @value is {"base64":"..."}; its text. */
static const char *base64_of(struct json_value value, size_t *ret_length)
{
    struct json_value text = json_value_get(value, "base64");
    return json_value_kind(value) == JSON_KIND_OBJECT && json_value_count(value) == 1 &&
                   json_value_kind(text) == JSON_KIND_STRING
               ? json_value_string(text, ret_length)
               : NULL;
}

/* The bytes of {"base64":"..."} from malloc(); NULL: it is none. */
static void *decode(struct json_value value, size_t *ret_length)
{
    size_t length = 0;
    const char *text = base64_of(value, &length);
    void *bytes = text ? malloc(bytes_decoded_max(length)) : NULL;
    if (bytes && bytes_from_base64(text, length, bytes, ret_length, NULL) != 0) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

/* ---- Readable ---------------------------------------------------------------------------------- */

/* "12 bytes: 78da..." */
static int print_bytes(const void *bytes, size_t length)
{
    char hex[2 * SHOWN_BYTES + 1] = "";
    size_t shown = length < SHOWN_BYTES ? length : SHOWN_BYTES;
    bytes_to_hex(bytes, shown, hex);
    hex[2 * shown] = '\0';
    return output_format("%zu bytes%s%s%s\n", length, length > 0 ? ": " : "", hex,
                         shown < length ? "..." : "");
}

static int print_text(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    if (!copy) {
        return command_fail(EXIT_COULD_NOT, "not enough memory");
    }
    memcpy(copy, text, length);
    plain_filter(copy, length);
    int r = output_write(copy, length);
    free(copy);
    return r == EXIT_DONE ? output_text("\n") : r;
}

/* One value and a line end. */
static int print_value(struct json_value value)
{
    size_t length;
    if (json_value_kind(value) == JSON_KIND_STRING) {
        const char *text = json_value_string(value, &length);
        return print_text(text, length);
    }
    void *bytes = decode(value, &length);
    if (bytes) {
        int r = print_bytes(bytes, length);
        free(bytes);
        return r;
    }
    struct json_out out = {.readable = true};
    json_out_value(&out, value);
    const char *text = json_out_text(&out);
    int r = text ? print_text(text, out.length) : command_fail(EXIT_COULD_NOT, "not enough memory");
    json_out_deinit(&out);
    return r;
}

static int print_members(struct json_value object)
{
    struct json_walk walk = json_walk(object);
    struct json_value key;
    struct json_value member;
    int r = EXIT_DONE;
    while (r == EXIT_DONE && json_walk_member(&walk, &key, &member)) {
        char name[128];
        size_t length;
        const char *foreign = json_value_string(key, &length);
        bool colours = output_has_colours();
        (void)plain_copy(name, sizeof name, foreign, length);
        r = output_format("%s%-10s%s ", colours ? "\033[1m" : "", name, colours ? "\033[0m" : "");
        r = r == EXIT_DONE ? print_value(member) : r;
    }
    return r;
}

/* What a library tried and was refused stands beside the result. */
static void tell_violations(const struct dialogue_answer *answer)
{
    struct json_walk walk = json_walk(json_value_get(answer->root, "violations"));
    struct json_value violation;
    while (json_walk_next(&walk, &violation)) {
        struct json_value act = json_value_get(violation, "act");
        char text[512];
        size_t length = 0;
        const char *foreign =
            json_value_kind(act) == JSON_KIND_STRING ? json_value_string(act, &length) : "";
        (void)plain_copy(text, sizeof text, foreign, length);
        (void)fprintf(stderr, "forbidden: %s\n", text);
    }
}

int client_result_print(const struct dialogue_answer *answer)
{
    tell_violations(answer);
    if (!output_is_terminal()) {
        return inquiry_print(answer->result);
    }
    struct json_value number = json_value_get(answer->root, "errno");
    bool members = json_value_kind(answer->result) == JSON_KIND_OBJECT &&
                   !base64_of(answer->result, NULL) && json_value_count(answer->result) > 0;
    int r = members ? print_members(answer->result) : print_value(answer->result);
    if (r == EXIT_DONE && json_value_given(number)) {
        r = output_text("errno      ");
        r = r == EXIT_DONE ? print_value(number) : r;
    }
    return r;
}

/* ---- Bytes and frames -------------------------------------------------------------------------- */

int client_result_bytes(const struct dialogue_answer *answer, const char *name)
{
    struct json_value value = json_value_get(answer->result, name);
    size_t length;
    bool outputs =
        json_value_kind(answer->result) == JSON_KIND_OBJECT && !base64_of(answer->result, NULL);
    if (!outputs && strcmp(name, "return") == 0) {
        value = answer->result;
    }
    if (!json_value_given(value)) {
        return command_fail(EXIT_USAGE, "the result has no output '%s'", name);
    }
    if (json_value_kind(value) == JSON_KIND_STRING) {
        const char *text = json_value_string(value, &length);
        return output_write(text, length);
    }
    void *bytes = decode(value, &length);
    if (!bytes) {
        return json_value_is_null(value) ? EXIT_DONE /* NULL has no bytes */
                                         : command_fail(EXIT_USAGE, "output '%s' is %s, not bytes",
                                                        name, json_value_kind_text(value));
    }
    int r = output_write(bytes, length);
    free(bytes);
    return r;
}

int client_result_frame(const char *text, size_t length)
{
    if (output_is_terminal()) {
        return print_text(text, length);
    }
    int r = output_write(text, length);
    return r == EXIT_DONE ? output_text("\n") : r;
}

/* ---- Methods ----------------------------------------------------------------------------------- */

static void add_text(struct message *line, struct json_value object, const char *key)
{
    struct json_value value = json_value_get(object, key);
    char text[SNAPSHOT_NAME];
    size_t length = 0;
    const char *foreign =
        json_value_kind(value) == JSON_KIND_STRING ? json_value_string(value, &length) : "";
    (void)plain_copy(text, sizeof text, foreign, length);
    message_add(line, "%s", text);
}

/* "unsigned long", or of several values "return int, ppDb handle of sqlite3". */
static void add_result(struct message *line, struct json_value method)
{
    struct json_walk walk = json_walk(json_value_get(method, "result"));
    struct json_value output;
    const char *before = "";
    add_text(line, method, "result");
    while (json_walk_next(&walk, &output)) {
        message_add(line, "%s", before);
        add_text(line, output, "name");
        message_add(line, " ");
        add_text(line, output, "type");
        before = ", ";
    }
}

/* "  crc32(crc unsigned long, [buf bytes]) -> unsigned long" */
static int print_method(struct json_value method)
{
    struct message line = {"  "};
    struct json_walk walk = json_walk(json_value_get(method, "parameters"));
    struct json_value parameter;
    const char *before = "";
    bool bold = output_has_colours();
    message_add(&line, "%s", bold ? "\033[1m" : "");
    add_text(&line, method, "method");
    message_add(&line, "%s(", bold ? "\033[0m" : "");
    while (json_walk_next(&walk, &parameter)) {
        struct json_value optional = json_value_get(parameter, "optional");
        bool may_miss = json_value_kind(optional) == JSON_KIND_BOOL && json_value_bool(optional);
        message_add(&line, "%s%s", before, may_miss ? "[" : "");
        add_text(&line, parameter, "name");
        message_add(&line, " ");
        add_text(&line, parameter, "type");
        message_add(&line, "%s", may_miss ? "]" : "");
        before = ", ";
    }
    message_add(&line, ") -> ");
    add_result(&line, method);
    return output_format("%s\n", line.text);
}

int client_result_methods(struct json_value methods)
{
    struct json_walk walk = json_walk(methods);
    struct json_value method;
    struct message cell = {""};
    int r = EXIT_DONE;
    while (r == EXIT_DONE && json_walk_next(&walk, &method)) {
        struct message of = {""};
        add_text(&of, method, "cell");
        if (strcmp(of.text, cell.text) != 0) {
            r = output_format("%s%s\n", *cell.text ? "\n" : "", of.text);
            cell = of;
        }
        r = r == EXIT_DONE ? print_method(method) : r;
    }
    return r;
}
