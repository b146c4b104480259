/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_TEST_PEER_H
#define LANE_TEST_PEER_H

/*
 * A worker for the tests: serves a lane until its verdict. A call's function id says what it does, so
 * that a test reads as a conversation.
 */

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "lane/host.h"
#include "lane/worker.h"

enum peer_function {
    PEER_ADD = 1,     /* word 0 + word 1 */
    PEER_NEST = 2,    /* word 0 levels: calls back with them, returns what the host says */
    PEER_REVERSE = 3, /* CALL_BYTES: the request backwards */
    PEER_ASK_BYTES =
        4, /* calls back with word 0 bytes in the callback share, returns their answer's sum */
    PEER_HANG = 5, /* never answers: waits for the verdict */
};

struct peer {
    struct lane_end end;
    pthread_t thread;
    pid_t pid;
    int result; /* of serving: -ESHUTDOWN, or what broke */
};

/* Serve in this thread until the lane ends. Returns what lane_end_take() ended with. */
int peer_serve(struct lane_end *end);

/* As a thread on the lane's own mappings. */
void peer_start_thread(struct peer *peer, const struct lane *lane);
int peer_join(struct peer *peer);

/* As a process that maps the fds, H read-only. Its status is 0 if serving ended by the verdict. */
void peer_start_process(struct peer *peer, const struct lane *lane);
int peer_wait(struct peer *peer);

/* Map the lane's fds as another process would; aborts the test's process on failure. */
void peer_map(struct lane_end *end, const struct lane *lane);

/* Both sides of the smallest lane there is, in this process. Returns 0 or a negative errno. */
int peer_open_both(struct lane **ret_lane, struct lane_end *ret_end);

#endif
