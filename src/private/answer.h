/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVATE_ANSWER_H
#define PRIVATE_ANSWER_H

/* Answers to the program's requests, as JSON-RPC 2.0 has them. Threads: one. */

#include <jansson.h>

struct server;

enum answer_code {
    ANSWER_PARSE = -32700,
    ANSWER_INVALID = -32600,
    ANSWER_METHOD = -32601,
    ANSWER_PARAMETERS = -32602,
    ANSWER_INTERNAL = -32603,
    ANSWER_BUSY = -32005,
};

/* @id: borrowed. @result, @fd (-1: none): taken. Returns 0, -ENOMEM, -ENOBUFS. */
int answer_result(struct server *server, json_t *id, json_t *result, int fd);

/* @id may be NULL. */
int answer_error(struct server *server, json_t *id, enum answer_code code, const char *sentence);

/* The same with a negative errno for programs, as data.errno. */
int answer_failure(struct server *server, json_t *id, enum answer_code code, const char *sentence,
                   int error);

#endif
