/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client_batch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/client_result.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "json/json_out.h"

#define LINE_BYTES_MAX (64u << 20)
#define PIECE_BYTES    (64u << 10)

struct batch {
    struct dialogue *dialogue;
    int fd;
    char *text; /* lines that were read, from @at to @end */
    size_t room;
    size_t at;
    size_t end;
    bool ended;    /* no more can be read */
    uint64_t line; /* number of the one that was taken last, from 1 */
    uint64_t unanswered;
    uint64_t answer_ns;
    uint64_t until_ns; /* for the next answer */
    struct document document;
    int status; /* the first that was not done */
};

static void note(struct batch *batch, int status)
{
    batch->status = batch->status == EXIT_DONE ? status : batch->status;
}

/* ---- Lines ------------------------------------------------------------------------------------- */

static int make_room(struct batch *batch)
{
    if (batch->at > 0) {
        memmove(batch->text, batch->text + batch->at, batch->end - batch->at);
        batch->end -= batch->at;
        batch->at = 0;
    }
    if (batch->end + PIECE_BYTES <= batch->room) {
        return EXIT_DONE;
    }
    if (batch->end > LINE_BYTES_MAX) {
        return command_fail(EXIT_USAGE, "line %llu is longer than %u bytes",
                            (unsigned long long)batch->line + 1, LINE_BYTES_MAX);
    }
    size_t room = 2 * batch->end + PIECE_BYTES;
    char *larger = realloc(batch->text, room);
    if (!larger) {
        return command_fail(EXIT_COULD_NOT, "not enough memory");
    }
    batch->text = larger;
    batch->room = room;
    return EXIT_DONE;
}

static int read_more(struct batch *batch)
{
    int r = make_room(batch);
    if (r != EXIT_DONE) {
        return r;
    }
    ssize_t got = read(batch->fd, batch->text + batch->end, batch->room - batch->end);
    if (got < 0 && errno != EINTR && errno != EAGAIN) {
        return command_fail(EXIT_USAGE, "cannot read the requests: %s", strerror(errno));
    }
    batch->end += got > 0 ? (size_t)got : 0;
    batch->ended = got == 0;
    return EXIT_DONE;
}

/* The next line, without its end. False: it has not been read yet, or there is none. */
static bool take_line(struct batch *batch, const char **ret_line, size_t *ret_length)
{
    size_t there = batch->end - batch->at;
    const char *line = batch->text + batch->at;
    const char *end = there > 0 ? memchr(line, '\n', there) : NULL;
    if (!end && (!batch->ended || there == 0)) {
        return false;
    }
    *ret_line = line;
    *ret_length = end ? (size_t)(end - line) : there;
    batch->at += *ret_length + (end != NULL);
    batch->line++;
    return true;
}

/* ---- Requests ---------------------------------------------------------------------------------- */

/* {"method":"crc32","crc":0,"deadline_ms":9} -> JSON-RPC with params {"crc":0}. */
static void put_request(struct json_out *out, struct json_value bare, uint64_t id)
{
    struct json_walk walk = json_walk(bare);
    struct json_value key;
    struct json_value member;
    struct json_value deadline = json_value_get(bare, "deadline_ms");
    json_out_object(out);
    json_out_key(out, "jsonrpc");
    json_out_string(out, "2.0");
    json_out_key(out, "id");
    json_out_uint(out, id);
    json_out_key(out, "method");
    json_out_value(out, json_value_get(bare, "method"));
    if (json_value_given(deadline)) {
        json_out_key(out, "deadline_ms");
        json_out_value(out, deadline);
    }
    json_out_key(out, "params");
    json_out_object(out);
    while (json_walk_member(&walk, &key, &member)) {
        if (!json_value_equals(key, "method") && !json_value_equals(key, "deadline_ms")) {
            json_out_key(out, json_value_string(key, NULL));
            json_out_value(out, member);
        }
    }
    json_out_object_end(out);
    json_out_object_end(out);
}

static bool is_rpc(struct json_value request)
{
    return json_value_given(json_value_get(request, "jsonrpc"));
}

/* Whether it will be answered: a notification is not. */
static bool is_answered(struct json_value request)
{
    return !is_rpc(request) || json_value_given(json_value_get(request, "id"));
}

/* Why @line is no request; EXIT_DONE: it is one. */
static int judge_line(struct batch *batch, const char *line, size_t length,
                      struct json_value *ret_request)
{
    struct message why;
    unsigned long long number = batch->line;
    if (json_text_parse(&batch->document, line, length, ret_request, &why) != 0) {
        return command_fail(EXIT_USAGE, "line %llu: %s", number, why.text);
    }
    if (json_value_kind(*ret_request) != JSON_KIND_OBJECT) {
        return command_fail(EXIT_USAGE, "line %llu: a request is an object, not %s", number,
                            json_value_kind_text(*ret_request));
    }
    if (json_value_kind(json_value_get(*ret_request, "method")) != JSON_KIND_STRING) {
        return command_fail(EXIT_USAGE, "line %llu: the request has no method", number);
    }
    return EXIT_DONE;
}

/* Returns a negative errno if the dialogue is over. */
static int send_line(struct batch *batch, const char *line, size_t length, struct message *why)
{
    struct json_value request;
    struct json_out out = {0};
    int status = judge_line(batch, line, length, &request);
    note(batch, status);
    if (status != EXIT_DONE) {
        return 0;
    }
    bool answered = is_answered(request);
    if (is_rpc(request)) {
        json_out_value(&out, request);
    } else {
        put_request(&out, request, batch->line);
    }
    const char *text = json_out_text(&out);
    int r = text ? dialogue_send(batch->dialogue, text, out.length,
                                 clock_after_ns(batch->answer_ns), why)
                 : message_set(why, -ENOMEM, "not enough memory");
    json_out_deinit(&out);
    if (r == 0 && answered && batch->unanswered++ == 0) {
        batch->until_ns = clock_after_ns(batch->answer_ns);
    }
    return r;
}

static bool is_blank(const char *line, size_t length)
{
    return strspn(line, " \t\r") >= length;
}

/* ---- Both ways --------------------------------------------------------------------------------- */

/* Print an answer that is there. Returns 0, -ETIMEDOUT: there is none, or what receiving met. */
static int take_answer(struct batch *batch, struct message *why)
{
    struct dialogue_answer answer;
    struct json_value root;
    const char *text;
    size_t length;
    int r = dialogue_receive(batch->dialogue, 0, &text, &length, why);
    r = r == 0 ? dialogue_parse(batch->dialogue, text, length, &root, why) : r;
    r = r == 0 ? dialogue_judge(root, &answer, why) : r;
    if (r != 0) {
        return r;
    }
    note(batch, client_result_frame(text, length));
    note(batch, dialogue_exit_of_code(answer.code));
    batch->unanswered -= batch->unanswered > 0;
    batch->until_ns = clock_after_ns(batch->answer_ns);
    return 0;
}

/* Wait until a line or an answer may be there. Returns 0, or -ETIMEDOUT: no answer came for too long. */
static int await(struct batch *batch, bool reads, struct message *why)
{
    struct pollfd polls[2] = {{.fd = batch->dialogue->fd, .events = POLLIN},
                              {.fd = reads ? batch->fd : -1, .events = POLLIN}};
    uint64_t now_ns = clock_now_ns();
    struct timespec left = clock_timespec(batch->until_ns > now_ns ? batch->until_ns - now_ns : 0);
    int r = ppoll(polls, 2, batch->unanswered > 0 ? &left : NULL, NULL);
    if (r == 0) {
        return message_set(why, -ETIMEDOUT, "the daemon did not answer %llu requests in time",
                           (unsigned long long)batch->unanswered);
    }
    if (r > 0 && polls[1].revents != 0) {
        int status = read_more(batch);
        batch->ended = batch->ended || status != EXIT_DONE;
        note(batch, status);
    }
    return 0;
}

static int turn(struct batch *batch, struct message *why)
{
    const char *line;
    size_t length;
    int r;
    do {
        r = take_answer(batch, why);
    } while (r == 0);
    if (r != -ETIMEDOUT) {
        return r;
    }
    r = 0;
    while (r == 0 && batch->unanswered < CLIENT_BATCH_WINDOW && take_line(batch, &line, &length)) {
        r = is_blank(line, length) ? 0 : send_line(batch, line, length, why);
    }
    bool full = batch->unanswered >= CLIENT_BATCH_WINDOW;
    return r == 0 && (full || !batch->ended || batch->unanswered > 0)
               ? await(batch, !full && !batch->ended, why)
               : r;
}

static bool has_lines(const struct batch *batch)
{
    return batch->end > batch->at;
}

int client_batch_run(struct dialogue *dialogue, const char *path, uint64_t answer_ns)
{
    struct batch batch = {.dialogue = dialogue, .answer_ns = answer_ns};
    struct message why;
    bool standard_input = strcmp(path, "-") == 0;
    OWN_FD opened = standard_input ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    batch.fd = standard_input ? STDIN_FILENO : opened;
    if (batch.fd < 0) {
        return command_fail(EXIT_USAGE, "cannot open '%s': %s", path, strerror(errno));
    }
    int r = 0;
    while (r == 0 && (!batch.ended || has_lines(&batch) || batch.unanswered > 0)) {
        r = turn(&batch, &why);
    }
    if (r != 0) {
        note(&batch, command_fail(dialogue_exit_of_error(r), "%s", why.text));
    }
    free(batch.text);
    document_deinit(&batch.document);
    return batch.status;
}
