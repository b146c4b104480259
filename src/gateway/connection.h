/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CONNECTION_H
#define GATEWAY_CONNECTION_H

/*
 * Connection: one client: its socket, its requests, what came (gateway/intake.h) and what goes
 * (gateway/outlet.h).
 *
 * Life: accepted, open, closing (no answers any more), freed once nothing of it is in flight and libuv has
 * let go of it. Threads: the loop's.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "gateway/handles.h"
#include "gateway/intake.h"
#include "gateway/outlet.h"

struct gateway;
struct guest;
struct request;

struct connection {
    struct gateway *gateway;
    struct connection *next;
    struct connection *previous;
    struct connection *ring_next; /* of those with input */
    struct connection *ring_previous;
    bool in_ring;
    struct connection *next_dirty;
    bool is_dirty;
    uv_pipe_t pipe;
    pid_t pid; /* of the peer when it connected */
    uid_t uid;
    uint64_t asked; /* requests ever */

    bool reading;
    bool ended;   /* the peer sends no more */
    bool cut;     /* a frame was no frame: what comes is not looked at */
    bool closing; /* nothing is sent any more */
    struct intake intake;
    uint64_t frame_ns; /* since when a frame is incomplete; 0: none is */
    struct outlet outlet;

    struct request *requests; /* unanswered, and bare ones that wait for their turn; oldest first */
    struct request *requests_last;
    uint32_t in_flight; /* of them, those that have not been sent an answer */
    size_t
        kept_bytes; /* of answers that wait for others: for their turn, for the rest of a batch */
    struct guest *guests;
    struct handles handles;
    uint32_t users; /* libuv's handle, a write */
};

/* Take a client that waits at @server; without memory for it, later. */
void connection_accept(struct gateway *gateway, uv_stream_t *server);

/* Look at input: at most a round's frames. Returns whether there is more to look at now. */
bool connection_turn(struct connection *connection);

/* A frame begins in outlet.out; outlet_frame_end() ends it. */
size_t connection_frame_begin(struct connection *connection);

/* Send what is written, as far as the socket takes it. */
void connection_flush(struct connection *connection);

/* A request was answered: there may be room for more, or it was the last one. */
void connection_settled(struct connection *connection);

/* Close it; calls in flight run on, unheard. */
void connection_close(struct connection *connection);

/* Whether its user may use the daemon still; else it is closed. */
void connection_check_access(struct connection *connection);

/* Close it if it has been slow for too long. */
void connection_check_time(struct connection *connection, uint64_t now_ns);

#endif
