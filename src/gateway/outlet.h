/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_OUTLET_H
#define GATEWAY_OUTLET_H

/*
 * Outlet: what goes to a client: frames that are written, and what of them the socket did not take yet.
 * A descriptor may go with them.
 *
 * Life: outlet_init(), outlet_deinit() once libuv has nothing of it. Threads: the loop's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "json/json_out.h"

struct outlet {
    struct json_out out; /* frames to be sent */
    bool lost;     /* a frame could not be written: what follows would answer something else */
    char *sending; /* with libuv */
    size_t sending_bytes;
    uv_write_t write;
    int passed_fd;     /* goes with the next bytes; -1: none */
    uint64_t stuck_ns; /* since when nothing was taken; 0: nothing waits */
};

void outlet_init(struct outlet *outlet);
void outlet_deinit(struct outlet *outlet);

/* A frame begins and ends in outlet->out. One that failed and is not taken back is remembered as lost. */
size_t outlet_frame_begin(struct outlet *outlet);
void outlet_frame_end(struct outlet *outlet, size_t begin);

/* Have @fd (taken) go with the frames that are written. Returns 0, -EBUSY: another one waits. */
int outlet_pass_fd(struct outlet *outlet, int fd);

/* Bytes that wait. */
static inline size_t outlet_bytes(const struct outlet *outlet)
{
    return outlet->out.length + outlet->sending_bytes;
}

/*
 * Send what is written, as far as @stream takes it; the rest goes by libuv, which calls @on_sent with
 * write->data = @context once: outlet_sent() is due then. Nothing is sent while such a rest is on its way.
 * Returns 0 all has gone, 1 there is a rest, or a negative errno: the connection is of no use any more.
 */
int outlet_send(struct outlet *outlet, uv_stream_t *stream, uv_write_cb on_sent, void *context);
void outlet_sent(struct outlet *outlet);

#endif
