/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inquiry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/plain.h"
#include "json/json_out.h"

#define SENTENCE_BYTES 1024u

char *inquiry_params(const char *key, const char *value)
{
    struct json_out out = {0};
    json_out_object(&out);
    json_out_key(&out, key);
    json_out_sentence(&out, value);
    json_out_object_end(&out);
    if (!json_out_text(&out)) {
        json_out_deinit(&out);
        return NULL;
    }
    return out.text;
}

/* A text of the error's data, plain; "" if there is none. */
static const char *data_text(const struct dialogue_answer *answer, const char *key, char *text,
                             size_t room)
{
    struct json_value value = json_value_get(answer->data, key);
    size_t length = 0;
    const char *foreign =
        json_value_kind(value) == JSON_KIND_STRING ? json_value_string(value, &length) : "";
    (void)plain_copy(text, room, foreign, length);
    return text;
}

int inquiry_fail(const struct dialogue_answer *answer)
{
    char sentence[SENTENCE_BYTES];
    char outcome[32];
    char report[40];
    struct json_value retry = json_value_get(answer->data, "retry_after_ms");
    (void)plain_copy(sentence, sizeof sentence, answer->message, strlen(answer->message));
    (void)data_text(answer, "outcome", outcome, sizeof outcome);
    (void)data_text(answer, "report", report, sizeof report);
    int r = command_fail(dialogue_exit_of_code(answer->code), "%s%s%s", outcome,
                         *outcome ? ": " : "", sentence);
    if (*report) {
        (void)fprintf(stderr, "more: cordon report %s\n", report);
    }
    if (json_value_kind(retry) == JSON_KIND_INT && json_value_int(retry) > 0) {
        (void)fprintf(stderr, "try again in %lld ms\n", (long long)json_value_int(retry));
    }
    return r;
}

int inquiry_ask(struct dialogue *dialogue, const char *socket, const char *method,
                const char *params, struct json_value *ret_result)
{
    return inquiry_ask_until(dialogue, socket, method, params,
                             clock_after_ns(INQUIRY_SECONDS * CLOCK_SECOND_NS), ret_result);
}

int inquiry_ask_until(struct dialogue *dialogue, const char *socket, const char *method,
                      const char *params, uint64_t until_ns, struct json_value *ret_result)
{
    struct message why = {""};
    struct dialogue_answer answer;
    int r = dialogue->open ? 0 : dialogue_open(dialogue, socket, until_ns, &why);
    r = r == 0 ? dialogue_ask(dialogue, method, params, until_ns, &answer, &why) : r;
    if (r != 0) {
        return command_fail(dialogue_exit_of_error(r), "%s", why.text);
    }
    if (answer.code != 0) {
        return inquiry_fail(&answer);
    }
    *ret_result = answer.result;
    return EXIT_DONE;
}

int inquiry_stats(struct dialogue *dialogue, const char *socket, const char *cell,
                  struct snapshot **ret_snapshot, struct json_value *ret_result)
{
    struct message why;
    char *params = cell ? inquiry_params("cell", cell) : NULL;
    if (cell && !params) {
        return command_fail(EXIT_COULD_NOT, "not enough memory");
    }
    int r = inquiry_ask(dialogue, socket, "cordon.stats", params, ret_result);
    free(params);
    if (r == EXIT_DONE && snapshot_take(*ret_result, ret_snapshot, &why) != 0) {
        return command_fail(EXIT_COULD_NOT, "%s", why.text);
    }
    return r;
}

int inquiry_print(struct json_value value)
{
    struct json_out out = {0};
    json_out_value(&out, value);
    const char *text = json_out_text(&out);
    if (text && output_is_terminal()) {
        plain_filter(out.text, out.length);
    }
    int r = text ? output_format("%s\n", text) : command_fail(EXIT_COULD_NOT, "not enough memory");
    json_out_deinit(&out);
    return r;
}

static int parse(const struct command *command, int argc, char *const *argv,
                 struct inquiry_wish *wish, bool *ret_help, struct message *why)
{
    struct options options = {.specs = command->options, .argc = argc, .argv = argv};
    const char *value;
    for (;;) {
        int option = options_next(&options, &value, why);
        switch (option) {
        case OPTIONS_END:
            return 0;
        case INQUIRY_SOCKET:
            wish->socket = value;
            break;
        case INQUIRY_JSON:
            wish->json = true;
            break;
        case INQUIRY_HELP:
            *ret_help = true;
            break;
        default:
            return option == OPTIONS_OPERAND
                       ? message_set(why, -EINVAL, "%s takes no operand, '%s' given", command->name,
                                     value)
                       : -EINVAL;
        }
    }
}

int inquiry_run(const struct command *command, int argc, char *const *argv,
                int (*ask)(struct dialogue *dialogue, const struct inquiry_wish *wish))
{
    struct message why;
    struct inquiry_wish wish = {0};
    struct dialogue dialogue = {0};
    bool help = false;
    if (parse(command, argc, argv, &wish, &help, &why) != 0) {
        return command_fail(EXIT_USAGE, "%s", why.text);
    }
    if (help) {
        return command_help(command);
    }
    plain_start();
    int r = ask(&dialogue, &wish);
    dialogue_close(&dialogue);
    return r;
}
