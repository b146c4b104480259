/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DIALOGUE_H
#define CLI_DIALOGUE_H

/*
 * Dialogue: a client's end of a daemon's socket (docs/protocol/gateway.md). Frames go out and come in; what
 * comes is judged like any input: a length beyond DIALOGUE_FRAME_BYTES, malformed JSON, or an answer that is none
 * ends the dialogue with a sentence, and memory grows with what came, not with what was announced.
 *
 * Nothing waits longer than its @until_ns (CLOCK_MONOTONIC; CLOCK_NEVER: for ever; 0: not at all). While it sends,
 * it takes answers in, so that a daemon that waits for its answers to be read is not waited for.
 *
 * Life: all zero, opened, closed; to be opened again then. Threads: one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "cli/socket_path.h"
#include "json/document.h"

#define DIALOGUE_FRAME_BYTES (96u << 20) /* one answer: 64 MiB of bytes in base64, and some */
#define DIALOGUE_NESTING     256u

struct dialogue {
    bool open;
    int fd;
    char path[SOCKET_PATH_BYTES]; /* for sentences */
    char *input;
    size_t input_room;
    size_t input_at;  /* where the next frame begins */
    size_t input_end; /* what has come */
    bool ended;       /* the daemon sends no more */
    struct document document;
};

/* An answer, as a value of the dialogue's document: until its next receive. */
struct dialogue_answer {
    struct json_value root;
    struct json_value id;     /* JSON_KIND_NONE: the bare form */
    struct json_value result; /* given, or @code is not 0 */
    int64_t code;             /* 0: a result */
    const char *message;      /* with a code: a sentence */
    struct json_value data;   /* with a code: an object, or NONE */
};

/*
 * Connect. @path: NULL is the default one. Returns 0; -ENOENT, -ECONNREFUSED (no daemon is there), -ETIMEDOUT, or
 * what connecting met, with a sentence that names the path.
 */
int dialogue_open(struct dialogue *dialogue, const char *path, uint64_t until_ns,
                  struct message *why);

/* NULL and all zero are fine. */
void dialogue_close(struct dialogue *dialogue);

/*
 * Send @text, JSON, as one frame. Returns 0; -EPIPE: the daemon has closed (it may have said why: receive);
 * -ETIMEDOUT; -ENOBUFS: more answers come meanwhile than this client keeps.
 */
int dialogue_send(struct dialogue *dialogue, const char *text, size_t length, uint64_t until_ns,
                  struct message *why);

/* No more requests: the daemon answers what it has, and closes. */
void dialogue_finish(struct dialogue *dialogue);

/*
 * The next frame. @ret_text is borrowed until the next call of this dialogue; at least DOCUMENT_PADDING bytes behind
 * it can be read.
 *
 * Returns 0; -ETIMEDOUT: it is not there yet (what came of it stays); -EPIPE: the daemon closed the connection;
 * -EBADMSG: what came is no frame; -ENOMEM.
 */
int dialogue_receive(struct dialogue *dialogue, uint64_t until_ns, const char **ret_text,
                     size_t *ret_length, struct message *why);

/* A frame as JSON. Returns 0, -EBADMSG, -ENOMEM. */
int dialogue_parse(struct dialogue *dialogue, const char *text, size_t length,
                   struct json_value *ret_root, struct message *why);

/* One object as an answer of either form. Returns 0, -EBADMSG with a sentence. */
int dialogue_judge(struct json_value root, struct dialogue_answer *ret_answer, struct message *why);

/*
 * Send one JSON-RPC request, its id 1. @params: a JSON object or array, or NULL; @deadline_ms: 0: the daemon's.
 * Returns as dialogue_send().
 */
int dialogue_request(struct dialogue *dialogue, const char *method, const char *params,
                     uint64_t deadline_ms, uint64_t until_ns, struct message *why);

/*
 * Ask @method, and wait for its answer, while nothing else is on its way. @params: a JSON object or array, or NULL.
 * Returns 0 (with an answer, which may be an error: look at its code), or as the functions above.
 */
int dialogue_ask(struct dialogue *dialogue, const char *method, const char *params,
                 uint64_t until_ns, struct dialogue_answer *ret_answer, struct message *why);

/* How a command ends after such a negative errno, or after an answer with @code: an enum command_exit. */
int dialogue_exit_of_error(int error);
int dialogue_exit_of_code(int64_t code);

#endif
