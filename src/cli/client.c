/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client_batch.h"
#include "cli/client_params.h"
#include "cli/client_result.h"
#include "cli/command.h"
#include "cli/duration.h"
#include "cli/guess.h"
#include "cli/inquiry.h"
#include "cli/plain.h"

#define ANSWER_NS (60 * CLOCK_SECOND_NS) /* most that is waited for an answer */
#define GRACE_NS  (10 * CLOCK_SECOND_NS) /* beyond the deadline that was given */

enum {
    OPTION_SOCKET,
    OPTION_DEADLINE,
    OPTION_WAIT,
    OPTION_JSON,
    OPTION_OUTPUT,
    OPTION_RAW,
    OPTION_BATCH,
    OPTION_HELP,
};

static const struct option_spec option_specs[] = {
    [OPTION_SOCKET] = {"socket", "PATH", "where the daemon listens"},
    [OPTION_DEADLINE] = {"deadline", "TIME", "end the call after 250ms, 3s, 2m"},
    [OPTION_WAIT] = {"wait", "TIME",
                     "most that is waited for an answer (10s beyond the deadline; 1m)"},
    [OPTION_JSON] = {"json", "PARAMS", "all parameters, as a JSON object or array"},
    [OPTION_OUTPUT] = {"output", "NAME", "write only the bytes of output NAME, or of `return`"},
    [OPTION_RAW] = {"raw", NULL, "print the daemon's frame as it came"},
    [OPTION_BATCH] = {"batch", "FILE", "one request on each line of FILE; - is standard input"},
    [OPTION_HELP] = {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

struct client {
    const char *socket;
    const char *method; /* NULL: list them */
    const char **texts;
    size_t text_count;
    const char *json;
    const char *output;
    const char *batch;
    uint64_t deadline_ns;   /* 0: the daemon's */
    uint64_t wait_ns;       /* 0: by the deadline */
    uint64_t wait_until_ns; /* 0: as wait_ns */
    bool raw;
    bool help;
    struct dialogue dialogue;
};

static int take_option(struct client *client, int option, const char *value, struct message *why)
{
    switch (option) {
    case OPTIONS_OPERAND:
        if (client->method) {
            client->texts[client->text_count++] = value;
        } else {
            client->method = value;
        }
        return 0;
    case OPTION_SOCKET:
        client->socket = value;
        return 0;
    case OPTION_DEADLINE:
        return duration_parse(value, &client->deadline_ns) == 0
                   ? 0
                   : message_set(why, -EINVAL, "--deadline takes 250ms, 3s, 2m, not '%s'", value);
    case OPTION_WAIT:
        return duration_parse(value, &client->wait_ns) == 0
                   ? 0
                   : message_set(why, -EINVAL, "--wait takes 250ms, 3s, 2m, not '%s'", value);
    case OPTION_JSON:
        client->json = value;
        return 0;
    case OPTION_OUTPUT:
        client->output = value;
        return 0;
    case OPTION_RAW:
        client->raw = true;
        return 0;
    case OPTION_BATCH:
        client->batch = value;
        return 0;
    case OPTION_HELP:
        client->help = true;
        return 0;
    default:
        return -EINVAL;
    }
}

/* Options that have no sense together. */
static int judge(const struct client *client, struct message *why)
{
    if (client->batch && (client->method || client->json || client->output)) {
        return message_set(why, -EINVAL, "--batch takes its methods and parameters from its file");
    }
    if (client->json && client->text_count > 0) {
        return message_set(why, -EINVAL, "--json gives all parameters: '%s' is one too many",
                           client->texts[0]);
    }
    if (!client->method && (client->json || client->output || client->raw) && !client->batch) {
        return message_set(why, -EINVAL, "no METHOD is given");
    }
    return client->raw && client->output
               ? message_set(why, -EINVAL, "--raw and --output exclude each other")
               : 0;
}

static int parse(struct client *client, int argc, char *const *argv, struct message *why)
{
    struct options options = {.specs = option_specs, .argc = argc, .argv = argv};
    const char *value;
    client->texts = calloc((size_t)argc + 1, sizeof *client->texts);
    if (!client->texts) {
        return message_set(why, -ENOMEM, "not enough memory");
    }
    for (;;) {
        int option = options_next(&options, &value, why);
        if (option == OPTIONS_END) {
            return client->help ? 0 : judge(client, why);
        }
        int r = take_option(client, option, value, why);
        if (r != 0) {
            return r;
        }
    }
}

static const char *text_of(struct json_value object, const char *key)
{
    struct json_value value = json_value_get(object, key);
    return json_value_kind(value) == JSON_KIND_STRING ? json_value_string(value, NULL) : "";
}

/* "crc32" or "zlib.crc32". */
static bool is_called(struct json_value method, const char *name)
{
    const char *cell = text_of(method, "cell");
    const char *own = text_of(method, "method");
    size_t length = strlen(cell);
    return strcmp(own, name) == 0 || (strncmp(name, cell, length) == 0 && name[length] == '.' &&
                                      strcmp(name + length + 1, own) == 0);
}

/* What cordon.describe says of the method, which decides how ARGs are read: NONE for the daemon's own. */
static int describe(struct client *client, struct json_value *ret_method)
{
    struct json_value methods;
    struct guess guess = guess_start(client->method, strlen(client->method));
    *ret_method = (struct json_value){0};
    if (strncmp(client->method, "cordon.", strlen("cordon.")) == 0) {
        return EXIT_DONE;
    }
    uint64_t until_ns = client->wait_until_ns > 0
                            ? client->wait_until_ns
                            : clock_after_ns(INQUIRY_SECONDS * CLOCK_SECOND_NS);
    int r = inquiry_ask_until(&client->dialogue, client->socket, "cordon.describe", NULL, until_ns,
                              &methods);
    if (r != EXIT_DONE) {
        return r;
    }
    struct json_walk walk = json_walk(methods);
    while (json_walk_next(&walk, ret_method)) {
        if (is_called(*ret_method, client->method)) {
            return EXIT_DONE;
        }
        guess_consider(&guess, text_of(*ret_method, "method"));
    }
    const char *near = guess_found(&guess);
    return command_fail(EXIT_USAGE, "no method '%s'; %s%s%s", client->method,
                        near ? "did you mean '" : "'cordon client' lists them", near ? near : "",
                        near ? "'?" : "");
}

/* The request's params, from malloc(); NULL: none are sent. */
static int make_params(struct client *client, char **ret_params)
{
    struct json_out out = {0};
    struct json_value method;
    struct message why;
    *ret_params = NULL;
    if (!client->json && client->text_count == 0) {
        return EXIT_DONE;
    }
    int r = 0;
    if (client->json || (client->text_count == 1 && *client->texts[0] == '{')) {
        r = client_params_write_json(client->json ? client->json : client->texts[0], &out, &why);
    } else {
        int status = describe(client, &method);
        if (status != EXIT_DONE) {
            return status;
        }
        r = client_params_write(method, client->texts, client->text_count, &out, &why);
    }
    if (r == 0 && !json_out_text(&out)) {
        r = message_set(&why, -ENOMEM, "not enough memory");
    }
    if (r != 0) {
        json_out_deinit(&out);
        return command_fail(r == -ENOMEM ? EXIT_COULD_NOT : EXIT_USAGE, "%s", why.text);
    }
    *ret_params = out.text;
    return EXIT_DONE;
}

static int answer(struct client *client, const char *text, size_t length, struct message *why,
                  int *ret_status)
{
    struct dialogue_answer answer;
    struct json_value root;
    int r = dialogue_parse(&client->dialogue, text, length, &root, why);
    r = r == 0 ? dialogue_judge(root, &answer, why) : r;
    if (r != 0) {
        return r;
    }
    if (client->raw) {
        int written = client_result_frame(text, length);
        *ret_status = written == EXIT_DONE ? dialogue_exit_of_code(answer.code) : written;
    } else if (answer.code != 0) {
        *ret_status = inquiry_fail(&answer);
    } else {
        *ret_status = client->output ? client_result_bytes(&answer, client->output)
                                     : client_result_print(&answer);
    }
    return 0;
}

static uint64_t answer_ns(const struct client *client)
{
    return client->wait_ns > 0       ? client->wait_ns
           : client->deadline_ns > 0 ? client->deadline_ns + GRACE_NS
                                     : ANSWER_NS;
}

static int call(struct client *client, const char *params)
{
    struct message why;
    const char *text;
    size_t length;
    int status = EXIT_DONE;
    uint64_t until_ns =
        client->wait_until_ns > 0 ? client->wait_until_ns : clock_after_ns(answer_ns(client));
    uint64_t deadline_ms = (client->deadline_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS;
    int r = client->dialogue.open
                ? 0
                : dialogue_open(&client->dialogue, client->socket, until_ns, &why);
    r = r == 0 ? dialogue_request(&client->dialogue, client->method, params, deadline_ms, until_ns,
                                  &why)
               : r;
    /* A daemon that has closed may have said why. */
    r = r == 0 || r == -EPIPE ? dialogue_receive(&client->dialogue, until_ns, &text, &length, &why)
                              : r;
    r = r == 0 ? answer(client, text, length, &why, &status) : r;
    return r == 0 ? status : command_fail(dialogue_exit_of_error(r), "%s", why.text);
}

static int list(struct client *client)
{
    struct json_value methods;
    int r = inquiry_ask(&client->dialogue, client->socket, "cordon.describe", NULL, &methods);
    return r == EXIT_DONE ? client_result_methods(methods) : r;
}

static int run_batch(struct client *client)
{
    struct message why;
    uint64_t until_ns = clock_after_ns(INQUIRY_SECONDS * CLOCK_SECOND_NS);
    int r = dialogue_open(&client->dialogue, client->socket, until_ns, &why);
    return r == 0 ? client_batch_run(&client->dialogue, client->batch, answer_ns(client))
                  : command_fail(dialogue_exit_of_error(r), "%s", why.text);
}

static int run_parsed(struct client *client)
{
    char *params = NULL;
    if (client->batch) {
        return run_batch(client);
    }
    if (!client->method) {
        return list(client);
    }
    client->wait_until_ns = client->wait_ns > 0 ? clock_after_ns(client->wait_ns) : 0;
    int r = make_params(client, &params);
    r = r == EXIT_DONE ? call(client, params) : r;
    free(params);
    return r;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct message why;
    struct client client = {0};
    int r = parse(&client, argc, argv, &why);
    plain_start();
    if (r != 0) {
        r = command_fail(r == -ENOMEM ? EXIT_COULD_NOT : EXIT_USAGE, "%s", why.text);
    } else {
        r = client.help ? command_help(command) : run_parsed(&client);
    }
    dialogue_close(&client.dialogue);
    free(client.texts);
    return r;
}

const struct command client_command = {
    .name = "client",
    .operands = "[METHOD [ARG...]]",
    .summary = "Call a method of a running daemon; without METHOD, list them",
    .details =
        "ARGs are given as name=value, or all by position, or as one JSON object:\n"
        "  numbers      12, -3, 0xff, 1.5, true, false, an enumerator's name, a handle\n"
        "  strings      as they are; text:... for one that begins with text: or is \"null\"\n"
        "  bytes        plain text, @FILE, @- (standard input), hex:..., base64:..., text:...\n"
        "  structs, arrays   JSON, or @FILE with JSON\n"
        "  name:=JSON, json:JSON   whatever the parameter is\n"
        "\n"
        "Handles live as long as their connection: with --batch the requests of one FILE share "
        "one.\n"
        "\n"
        "Exit status: 0 done, 1 could not (no daemon, no worker), 2 wrong usage, no such method,\n"
        "parameters that do not fit, 3 crashed or aborted, 4 timed out, 5 refused (denied, busy,\n"
        "stale, open, stopping).\n",
    .options = option_specs,
    .run = run,
};
