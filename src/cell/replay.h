/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_REPLAY_H
#define CELL_REPLAY_H

/* Replay: cordon/replay.h. The station that it opens is nobody's session's. Threads: any. */

#include "base/message.h"
#include "cordon/replay.h"

struct cordon_cell;

int replay_recording(struct cordon_cell *cell, const struct cordon_replay_options *options,
                     struct cordon_replay_result *ret_result, struct message *why);

#endif
