/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_ANSWER_H
#define GATEWAY_ANSWER_H

/*
 * Answer: the JSON that a request ends by, and where it is written. What is in it is said in answer.c
 * (request_fail(), request_end()); request.c knows whose turn it is.
 *
 * Threads: the loop's.
 */

#include <stdbool.h>
#include <stddef.h>

#include "json/json_out.h"

struct request;

/* Where an answer is written: into its batch, its own store, or the connection's frames. */
struct answer {
    struct json_out *out;
    struct json_mark mark;
    size_t frame;
    bool is_frame;
    bool is_error; /* one of a few words: it goes, however little room is left */
};

/* Nobody wants to hear how it ended: then it is gone, like one that was answered. */
bool answer_is_unheard(struct request *request);

/* An object with its `id`, to be completed by `result` or `error`. */
struct answer answer_begin(struct request *request);

/*
 * The request is gone. A result that is too large - with those of its batch, if there is one - becomes an error; an error
 * for which there is no memory ends the connection.
 */
void answer_end(struct request *request, struct answer *answer);

#endif
