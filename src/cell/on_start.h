/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_ON_START_H
#define CELL_ON_START_H

/*
 * On start: calls with which every worker of a cell begins, kept as the frames that travel.
 *
 * Life: recorded after one execution that was done, kept as long as the cell. Handles and callbacks
 * cannot be kept: they belong to one worker.
 *
 * Threads: records are added under the cell's lock and never change; any may read the first
 * on_start_count() of them.
 */

#include <stdint.h>

#include "base/limits.h"
#include "base/message.h"
#include "cell/station.h"
#include "cordon/value.h"
#include "frame/frame.h"

struct cordon_cell;
struct cordon_function;
struct cordon_session;

struct on_start_call {
    const struct cordon_function *function;
    struct frame_request request;
    uint8_t frame[]; /* request.frame_bytes */
};

struct on_start {
    struct on_start_call *calls[LIMIT_ON_START];
    _Atomic uint32_t count; /* written under the cell's lock */
};

void on_start_deinit(struct on_start *on_start);

uint32_t on_start_count(const struct cordon_cell *cell);

/* The whole of cordon_cell_on_start(): executed by this thread's session, then recorded. */
int on_start_add(struct cordon_cell *cell, const struct cordon_function *function,
                 const struct cordon_value *args, size_t count, struct message *why);

/*
 * Send recorded call @index to a station. @ret_room is taken if it travels with bytes (h_bytes != 0 in
 * its lane, or request). Returns 0, -EAGAIN (no room now), another negative errno.
 */
int on_start_send(const struct cordon_cell *cell, uint32_t index, struct station *station,
                  uint64_t deadline_ns, struct station_room *ret_room, bool *ret_has_room,
                  struct station_ticket *ticket);

/*
 * Execute what was recorded since the session's worker began. Returns 0, or how it failed: an outcome
 * or a negative errno; the worker has been given up then.
 */
int on_start_catch_up(struct cordon_session *session, struct message *why);

#endif
