/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_SOCKET_CALLER_H
#define BENCH_SOCKET_CALLER_H

/*
 * Socket caller: the simplest client of a length-prefixed server that is still quick: one write for what it
 * asks, one read for what has come. All servers, the echo too, are driven by it.
 *
 * What fails ends the program with a sentence: a number that stands for something else would be worse.
 * Threads: one.
 */

#include <stddef.h>
#include <stdint.h>

#define CALLER_DEPTH_MAX   128u
#define CALLER_INPUT_BYTES 65536u

struct socket_caller {
    int fd;
    char *requests; /* CALLER_DEPTH_MAX times the same frame */
    size_t frame_bytes;
    char *input;
    size_t input_at;
    size_t input_end;
};

/* Ask @json at the socket @path; waits for the server to be there. Returns 0 or a negative errno. */
int caller_connect(struct socket_caller *caller, const char *path, const char *json);
/* Of a socket that is there: @fd, taken. */
int caller_open(struct socket_caller *caller, int fd, const char *json);
/* All zero is fine. */
void caller_close(struct socket_caller *caller);

/* The answer to one request, as text, borrowed until the next one. */
const char *caller_ask(struct socket_caller *caller, size_t *ret_bytes);

/* Send @count requests; wait for answers, and return how many have come. */
void caller_send(const struct socket_caller *caller, uint32_t count);
uint32_t caller_receive(struct socket_caller *caller);

/* One request after the other. */
void caller_trips(struct socket_caller *caller, uint32_t count);

/* @count requests, @depth in flight: what has been answered is asked anew, in one write. */
void caller_flight(struct socket_caller *caller, uint32_t count, uint32_t depth);

#endif
