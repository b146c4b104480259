/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REPLAY_SESSION_H
#define CLI_REPLAY_SESSION_H

/* The session that a report holds, replayed up to the call that the report is about. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cordon/cell.h"

struct replay_session_wish {
    const struct cordon_cell_options *cell; /* library, level, policy, limits */
    uint64_t timeout_ns;                    /* of each call; 0: as it was */
    unsigned alarm_s;                       /* SIGALRM ends what takes longer; 0: no need */
    bool json;
    bool steps; /* each call on standard error as it is made */
};

/* True if the report holds one. */
bool replay_session_is_there(const json_t *report);

/* Replay it and print how it went. Returns an enum command_exit. */
int replay_session(const struct replay_session_wish *wish, const json_t *report);

#endif
