/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_INQUIRY_H
#define CLI_INQUIRY_H

/* Inquiry: what a command asks a daemon about itself. What goes wrong is said on standard error. */

#include "cli/command.h"
#include "cli/dialogue.h"
#include "cli/snapshot.h"

#define INQUIRY_SECONDS 10u /* most that a daemon may take to answer about itself */

/*
 * Ask one of the daemon's own methods, over @dialogue, which is opened if it is not.
 *
 * @params  a JSON object, or NULL.
 *
 * Returns an enum command_exit; EXIT_DONE with the result, a value of the dialogue's document.
 */
int inquiry_ask(struct dialogue *dialogue, const char *socket, const char *method,
                const char *params, struct json_value *ret_result);

/* The same, and the daemon has time until @until_ns (CLOCK_MONOTONIC). */
int inquiry_ask_until(struct dialogue *dialogue, const char *socket, const char *method,
                      const char *params, uint64_t until_ns, struct json_value *ret_result);

/* cordon.stats of @cell, or of all (NULL). Returns an enum command_exit. */
int inquiry_stats(struct dialogue *dialogue, const char *socket, const char *cell,
                  struct snapshot **ret_snapshot, struct json_value *ret_result);

/* What a command that asks one thing is told: --socket, --json, --help, in this order of its options. */
struct inquiry_wish {
    const char *socket;
    bool json;
};

enum {
    INQUIRY_SOCKET,
    INQUIRY_JSON,
    INQUIRY_HELP,
};

#define INQUIRY_OPTIONS(method)                                                                    \
    {                                                                                              \
        [INQUIRY_SOCKET] = {"socket", "PATH", "where the daemon listens"},                         \
        [INQUIRY_JSON] = {"json", NULL, "the answer of " method ", on one line"},                  \
        [INQUIRY_HELP] = {"help", NULL, "this text"}, {NULL, NULL, NULL},                          \
    }

/* Run such a command: @ask is called with a dialogue that is closed behind it. Returns an enum command_exit. */
int inquiry_run(const struct command *command, int argc, char *const *argv,
                int (*ask)(struct dialogue *dialogue, const struct inquiry_wish *wish));

/* "cordon: busy: sentence" and what else an error tells a person. Returns its enum command_exit. */
int inquiry_fail(const struct dialogue_answer *answer);

/* A value as one line of JSON on standard output. Returns an enum command_exit. */
int inquiry_print(struct json_value value);

/* {"@key":"@value"}; NULL: no memory. To be freed. */
char *inquiry_params(const char *key, const char *value);

#endif
