/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_RECORDER_H
#define CELL_RECORDER_H

/*
 * Recorder: writes down what a session and its worker say to each other (report/recording.h), as the station
 * sends and takes it. What it cannot keep - too much, or a secret - ends the recording, never a call.
 *
 * Life: made with the station of a cell that records, freed with it. The worker never has its memory.
 *
 * Threads: the session's holder.
 */

#include <stdint.h>

#include "cell/arena.h"
#include "cell/station.h"

struct recorder;

/* @arena  of the session; NULL: none. Returns 0, or a negative errno. */
int recorder_new(uint64_t bytes_max, uint32_t call_bytes, const struct arena *arena,
                 struct recorder **ret_recorder);
/* NULL is fine. */
void recorder_free(struct recorder *recorder);

/* Borrowed. */
int recorder_peek_fd(const struct recorder *recorder);

/*
 * A request that is sent next, with what the host has changed in the arena since the last one. @outer: the
 * top-level call from whose callback it comes; 0: it is one itself.
 */
void recorder_call(struct recorder *recorder, const struct station_request *request,
                   uint32_t outer);

/* It could not be sent. */
void recorder_unsent(struct recorder *recorder, uint32_t outer);

/* The reply to call @seq, or to one from inside a callback of it. */
void recorder_return(struct recorder *recorder, uint32_t seq, bool nested,
                     const struct station_reply *reply, uint32_t out_words);

void recorder_callback(struct recorder *recorder, uint32_t seq,
                       const struct station_callback *callback);

/* @failed  0, or what station_options.answer said. */
void recorder_answer(struct recorder *recorder, uint32_t seq, int failed,
                     const struct station_callback *callback);

#endif
