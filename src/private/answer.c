/* SPDX-License-Identifier: Apache-2.0 */
#include "private/answer.h"

#include <string.h>
#include "private/requests.h"

/* @answer: taken. */
static int send_answer(struct server *server, json_t *answer, int fd)
{
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    return control_answer(&server->control, text, fd);
}

int answer_result(struct server *server, json_t *id, json_t *result, int fd)
{
    return send_answer(
        server, json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id, "result", result), fd);
}

/* Sentences may quote what a library said, in whatever encoding. */
static json_t *text_json(const char *sentence)
{
    struct message clean;
    json_t *text = json_string(sentence);
    if (!text) {
        message_set_foreign(&clean, sentence, strnlen(sentence, sizeof clean.text));
        text = json_string(clean.text);
    }
    return text;
}

int answer_failure(struct server *server, json_t *id, enum answer_code code, const char *sentence,
                   int error)
{
    json_t *data = error != 0 ? json_pack("{s:i}", "errno", -error) : NULL;
    return send_answer(server,
                       json_pack("{s:s, s:O?, s:{s:i, s:o, s:o*}}", "jsonrpc", "2.0", "id", id,
                                 "error", "code", (int)code, "message", text_json(sentence), "data",
                                 data),
                       -1);
}

int answer_error(struct server *server, json_t *id, enum answer_code code, const char *sentence)
{
    return answer_failure(server, id, code, sentence, 0);
}
