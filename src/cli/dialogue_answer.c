/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "cli/command.h"
#include "cli/dialogue.h"
#include "json/json_out.h"

/* What the daemon's codes say: docs/protocol/gateway.md. */
enum code {
    CODE_CRASHED = -32001,
    CODE_TIMEOUT = -32002,
    CODE_ABORTED = -32003,
    CODE_DENIED = -32004,
    CODE_BUSY = -32005,
    CODE_STALE = -32006,
    CODE_OPEN = -32007,
    CODE_STOPPING = -32009,
    CODE_INVALID = -32600,
    CODE_NO_METHOD = -32601,
    CODE_PARAMETERS = -32602,
    CODE_PARSE = -32700,
};

int dialogue_exit_of_code(int64_t code)
{
    switch (code) {
    case 0:
        return EXIT_DONE;
    case CODE_PARSE:
    case CODE_INVALID:
    case CODE_NO_METHOD:
    case CODE_PARAMETERS:
        return EXIT_USAGE;
    case CODE_CRASHED:
    case CODE_ABORTED:
        return EXIT_CRASHED;
    case CODE_TIMEOUT:
        return EXIT_TIMED_OUT;
    case CODE_DENIED:
    case CODE_BUSY:
    case CODE_STALE:
    case CODE_OPEN:
    case CODE_STOPPING:
        return EXIT_REFUSED;
    default:
        return EXIT_COULD_NOT;
    }
}

int dialogue_exit_of_error(int error)
{
    switch (error) {
    case -ETIMEDOUT:
        return EXIT_TIMED_OUT;
    case -EINVAL:
    case -E2BIG:
    case -ENAMETOOLONG:
        return EXIT_USAGE;
    default:
        return EXIT_COULD_NOT;
    }
}

int dialogue_parse(struct dialogue *dialogue, const char *text, size_t length,
                   struct json_value *ret_root, struct message *why)
{
    struct message inner;
    size_t room = length + DOCUMENT_PADDING;
    int r =
        document_parse(&dialogue->document, text, length, room, DIALOGUE_NESTING, ret_root, &inner);
    return r == 0 ? 0
                  : message_set(why, r == -ENOMEM ? r : -EBADMSG,
                                "what listens at %s answers with no JSON: %s", dialogue->path,
                                inner.text);
}

/* An error has a code that is a number, and a sentence. */
static int judge_error(struct json_value error, struct dialogue_answer *answer, struct message *why)
{
    struct json_value code = json_value_get(error, "code");
    struct json_value sentence = json_value_get(error, "message");
    struct json_value data = json_value_get(error, "data");
    if (json_value_kind(code) != JSON_KIND_INT || json_value_int(code) == 0 ||
        json_value_kind(sentence) != JSON_KIND_STRING) {
        return message_set(why, -EBADMSG,
                           "the daemon's answer is an error without code and message");
    }
    answer->code = json_value_int(code);
    answer->message = json_value_string(sentence, NULL);
    if (json_value_kind(data) == JSON_KIND_OBJECT) {
        answer->data = data;
    }
    return 0;
}

int dialogue_judge(struct json_value root, struct dialogue_answer *ret_answer, struct message *why)
{
    struct json_value error = json_value_get(root, "error");
    *ret_answer = (struct dialogue_answer){
        .root = root, .id = json_value_get(root, "id"), .result = json_value_get(root, "result")};
    if (json_value_kind(root) != JSON_KIND_OBJECT ||
        json_value_given(error) == json_value_given(ret_answer->result)) {
        return message_set(why, -EBADMSG,
                           "the daemon's answer has neither result nor error, or both");
    }
    return json_value_given(error) ? judge_error(error, ret_answer, why) : 0;
}

int dialogue_request(struct dialogue *dialogue, const char *method, const char *params,
                     uint64_t deadline_ms, uint64_t until_ns, struct message *why)
{
    struct json_out out = {0};
    json_out_object(&out);
    json_out_key(&out, "jsonrpc");
    json_out_string(&out, "2.0");
    json_out_key(&out, "id");
    json_out_int(&out, 1);
    json_out_key(&out, "method");
    json_out_sentence(&out, method);
    if (deadline_ms > 0) {
        json_out_key(&out, "deadline_ms");
        json_out_uint(&out, deadline_ms);
    }
    if (params) {
        json_out_key(&out, "params");
        size_t length = strlen(params);
        char *place = json_out_raw(&out, length);
        if (place) {
            memcpy(place, params, length);
        }
    }
    json_out_object_end(&out);
    const char *text = json_out_text(&out);
    int r = text ? dialogue_send(dialogue, text, out.length, until_ns, why)
                 : message_set(why, -ENOMEM, "not enough memory");
    json_out_deinit(&out);
    return r;
}

int dialogue_ask(struct dialogue *dialogue, const char *method, const char *params,
                 uint64_t until_ns, struct dialogue_answer *ret_answer, struct message *why)
{
    struct json_value root;
    const char *answer;
    size_t length;
    int r = dialogue_request(dialogue, method, params, 0, until_ns, why);
    /* A daemon that has closed may have said why: that it has too many clients. */
    r = r == 0 || r == -EPIPE ? dialogue_receive(dialogue, until_ns, &answer, &length, why) : r;
    r = r == 0 ? dialogue_parse(dialogue, answer, length, &root, why) : r;
    return r == 0 ? dialogue_judge(root, ret_answer, why) : r;
}
