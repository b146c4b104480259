/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/replay_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/report_file.h"
#include "cordon/outcome.h"
#include "cordon/replay.h"
#include "report/base64.h"

static const json_t *session_of(const json_t *report)
{
    const json_t *replay = json_object_get(json_object_get(report, "call"), "replay");
    return json_object_get(replay, "session");
}

bool replay_session_is_there(const json_t *report)
{
    return json_is_string(json_object_get(session_of(report), "recording"));
}

/* ---- How it went ------------------------------------------------------------------------------- */

static void on_step(void *context, const struct cordon_replay_step *step)
{
    const struct replay_session_wish *wish = context;
    (void)alarm(wish->alarm_s);
    if (!wish->steps) {
        return;
    }
    (void)fprintf(stderr, "call %u%*s %s%s%s\n", step->call, (int)(2 * (step->depth % 32)), "",
                  *step->function ? step->function : "(of Cordon)", step->differs ? ": " : "",
                  step->differs ? step->differs : "");
}

/* Did the call end as the report says? */
static bool is_as_reported(const json_t *report, const struct cordon_replay_result *result)
{
    const char *what = report_text(report, "what");
    const json_t *call = json_object_get(report, "call");
    if (result->call != (uint32_t)report_number(call, "number")) {
        return false;
    }
    if (strcmp(what, "hang") == 0) {
        return result->outcome == CORDON_TIMEOUT;
    }
    if (strcmp(what, "exit") == 0) {
        return result->outcome == CORDON_CRASHED && result->signal == 0 &&
               result->exit_status == report_number(report, "exit_status");
    }
    if (strcmp(what, "violation") == 0 && json_is_true(json_object_get(report, "ended"))) {
        return result->outcome == CORDON_DENIED;
    }
    if (strcmp(what, "crash") == 0 || strcmp(what, "killed") == 0) {
        const json_t *number = json_object_get(json_object_get(report, "signal"), "number");
        return result->outcome == CORDON_CRASHED &&
               (!number || result->signal == json_integer_value(number));
    }
    return result->outcome == CORDON_DONE;
}

static json_t *end_of(const struct cordon_replay_result *result)
{
    json_t *json = json_pack("{s:s}", "outcome", cordon_outcome_name(result->outcome));
    if (result->signal != 0) {
        const char *name = sigabbrev_np(result->signal);
        char text[32];
        (void)snprintf(text, sizeof text, "SIG%s", name ? name : "?");
        (void)json_object_set_new(json, "signal",
                                  json_pack("{s:s, s:i}", "name", text, "number", result->signal));
    } else if (result->outcome == CORDON_CRASHED) {
        (void)json_object_set_new(json, "exit_status", json_integer(result->exit_status));
    }
    if (result->outcome != CORDON_DONE && result->error.text[0]) {
        (void)json_object_set_new(json, "message", json_string(result->error.text));
    }
    return json;
}

static int print_json(const struct cordon_replay_result *result, bool as_reported)
{
    json_t *json = end_of(result);
    (void)json_object_set_new(json, "as_reported", json_boolean(as_reported));
    (void)json_object_set_new(json, "call", json_integer(result->call));
    (void)json_object_set_new(json, "function", json_string(result->function));
    (void)json_object_set_new(json, "differences", json_integer(result->differences));
    if (result->differences > 0) {
        (void)json_object_set_new(json, "first_difference",
                                  json_pack("{s:I, s:s}", "call", (json_int_t)result->differs_at,
                                            "what", result->difference.text));
    }
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
    int r = text ? output_format("%s\n", text) : command_fail(EXIT_COULD_NOT, "no memory");
    free(text);
    json_decref(json);
    return r;
}

static int print_readable(const struct cordon_replay_result *result, bool as_reported)
{
    int r = output_format("%s in call %u%s%s, %s\n", cordon_outcome_name(result->outcome),
                          result->call, *result->function ? ", " : "", result->function,
                          as_reported ? "as reported" : "NOT as reported");
    if (r == EXIT_DONE && result->outcome != CORDON_DONE && result->error.text[0]) {
        r = output_format("%s\n", result->error.text);
    }
    if (r == EXIT_DONE && result->differences > 0) {
        r = output_format("%u calls went otherwise than they did; the first, call %u: %s\n",
                          result->differences, result->differs_at, result->difference.text);
    }
    return r;
}

/* ---- The replay -------------------------------------------------------------------------------- */

static int run(struct cordon_cell *cell, const struct replay_session_wish *wish,
               const json_t *report, const void *recording, size_t bytes)
{
    struct cordon_error error = {""};
    struct cordon_replay_result result;
    struct cordon_replay_options options = {
        .size = sizeof options,
        .recording = recording,
        .recording_bytes = bytes,
        .until = (uint32_t)report_number(json_object_get(report, "call"), "number"),
        .timeout_ns = wish->timeout_ns,
        .step = on_step,
        .context = (void *)(uintptr_t)wish,
    };
    (void)alarm(wish->alarm_s);
    int r = cordon_replay(cell, &options, &result, &error);
    if (r < 0) {
        return command_fail(EXIT_COULD_NOT, "the session cannot be replayed: %s",
                            error.text[0] ? error.text : strerror(-r));
    }
    bool as_reported = is_as_reported(report, &result);
    r = wish->json || !output_is_terminal() ? print_json(&result, as_reported)
                                            : print_readable(&result, as_reported);
    return r == EXIT_DONE ? call_exit_of_outcome(result.outcome) : r;
}

int replay_session(const struct replay_session_wish *wish, const json_t *report)
{
    const json_t *text = json_object_get(session_of(report), "recording");
    struct cordon_error error = {""};
    struct cordon_cell *cell = NULL;
    size_t bytes = 0;
    uint8_t *recording = base64_read(json_string_value(text), json_string_length(text), &bytes);
    int r = output_start();
    if (r < 0 || !recording) {
        free(recording);
        return command_fail(EXIT_COULD_NOT, "%s",
                            r < 0 ? "cannot part results from what libraries print"
                                  : "the report's recording is not Base64");
    }
    r = cordon_cell_open(wish->cell, &cell, &error);
    r = r < 0 ? command_fail(EXIT_COULD_NOT, "%s", error.text[0] ? error.text : strerror(-r))
              : run(cell, wish, report, recording, bytes);
    (void)cordon_cell_close(cell);
    free(recording);
    return r;
}
