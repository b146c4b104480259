/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CONNECTION_H
#define GATEWAY_CONNECTION_H

/*
 * Connection: one client's socket, what came and was not looked at, what goes and was not taken.
 *
 * Life: accepted, open, closing (no answers any more), freed once nothing of it is in flight and libuv has
 * let go of it. Threads: the loop's.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "gateway/handles.h"
#include "json/json_out.h"

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

    bool reading;
    bool ended;   /* the peer sends no more */
    bool cut;     /* a frame was no frame: what comes is not looked at */
    bool closing; /* nothing is sent any more */
    char *input;
    size_t input_room;
    size_t input_at;   /* where the next frame begins */
    size_t input_end;  /* what has come */
    uint64_t frame_ns; /* since when a frame is incomplete; 0: none is */

    struct json_out out; /* frames to be sent */
    char *sending;       /* with libuv */
    size_t sending_bytes;
    uv_write_t write;
    int passed_fd;     /* goes with the next bytes; -1: none */
    uint64_t stuck_ns; /* since when nothing was taken; 0: nothing waits */

    struct request *requests; /* unanswered, and bare ones that wait for their turn; oldest first */
    struct request *requests_last;
    uint32_t in_flight;
    struct guest *guests;
    struct handles handles;
    uint32_t users; /* libuv's handle, a write */
};

/* Take a client that waits at @server. */
void connection_accept(struct gateway *gateway, uv_stream_t *server);

/* Look at input: at most a round's frames. Returns whether there is more to look at now. */
bool connection_turn(struct connection *connection);

/* A frame begins and ends in connection->out. */
size_t connection_frame_begin(struct connection *connection);
void connection_frame_end(struct connection *connection, size_t begin);

/* Have @fd (taken) go with the frames that are written. Returns 0, -EBUSY: another one waits. */
int connection_pass_fd(struct connection *connection, int fd);

/* Send what is written, as far as the socket takes it. */
void connection_flush(struct connection *connection);

/* A request was answered: there may be room for more, or it was the last one. */
void connection_settled(struct connection *connection);

/* Close it; calls in flight run on, unheard. */
void connection_close(struct connection *connection);

/* Close it if it has been slow for too long. */
void connection_check_time(struct connection *connection, uint64_t now_ns);

#endif
