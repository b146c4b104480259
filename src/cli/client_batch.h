/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLIENT_BATCH_H
#define CLI_CLIENT_BATCH_H

#include <stdint.h>

#include "cli/dialogue.h"

/*
 * Many requests: one JSON object on each line of a file. They are sent as they are read, up to CLIENT_BATCH_WINDOW
 * before the first of them is answered; answers are printed as they come, one on a line.
 *
 * A line with "jsonrpc" is sent as it is. Another one is taken as the bare form, and becomes a request whose id is
 * the line's number, its members params, its deadline_ms the call's.
 *
 * @path       "-": standard input.
 * @answer_ns  most that is waited for an answer while none comes.
 *
 * Returns an enum command_exit: of what went wrong first, in a line or an answer; or done.
 */
#define CLIENT_BATCH_WINDOW 64u
int client_batch_run(struct dialogue *dialogue, const char *path, uint64_t answer_ns);

#endif
