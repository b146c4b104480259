/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLIENT_RESULT_H
#define CLI_CLIENT_RESULT_H

/* A daemon's result as a person, or a program, wants it. Each returns an enum command_exit. */

#include "cli/dialogue.h"

/* On a terminal readable, elsewhere as JSON on one line; forbidden acts on standard error. */
int client_result_print(const struct dialogue_answer *answer);

/* The bytes of output @name alone ("return", or the result's only value), as they are. */
int client_result_bytes(const struct dialogue_answer *answer, const char *name);

/* A frame and a line end; on a terminal without what would move its cursor. */
int client_result_frame(const char *text, size_t length);

/* The methods that cordon.describe lists, by cell. */
int client_result_methods(struct json_value methods);

#endif
