/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_GATEWAY_LIMITS_H
#define GATEWAY_GATEWAY_LIMITS_H

/* Limits of the gateway by name (docs/protocol/gateway.md), and what they are unless configured. */

#include <stdint.h>

struct gateway_limits {
    uint32_t frame_bytes;
    uint32_t nesting;
    uint32_t clients;
    uint32_t
        clients_per_user; /* of another user than the daemon's own and root; 0: half of clients */
    uint32_t client_in_flight;
    uint32_t in_flight;
    uint32_t batch;
    uint32_t handles;
    uint32_t read_timeout_ms;
    uint32_t write_timeout_ms;
    uint32_t output_bytes;
    uint32_t deadline_max_ms;
};

#define GATEWAY_LIMITS                                                                             \
    {                                                                                              \
        .frame_bytes = 16u << 20, .nesting = 64, .clients = 256, .client_in_flight = 128,          \
        .in_flight = 4096, .batch = 256, .handles = 1024, .read_timeout_ms = 30000,                \
        .write_timeout_ms = 30000, .output_bytes = 32u << 20, .deadline_max_ms = 60000             \
    }

#define GATEWAY_DRAIN_MS       10000u
#define GATEWAY_SEAT_CALLS     16u     /* in flight in one seat */
#define GATEWAY_RESENDS        8u      /* to other workers, of a call that was not begun */
#define GATEWAY_LOOK_NS        20000u  /* the longest look for a short call's answer */
#define GATEWAY_WAKE_NS        30000u  /* what waking a worker that sleeps is taken to cost */
#define GATEWAY_CROWD_NS       50000u  /* ... where more workers than CPUs would be awake */
#define GATEWAY_BEHIND_NS      200000u /* the most work behind which a call waits at a worker */
#define GATEWAY_TURN_ANSWERS   16u     /* before they are sent, and other clients heard */
#define GATEWAY_READ_BYTES     65536u  /* of one connection in one round */
#define GATEWAY_TURN_FRAMES    32u     /* of one connection in one round */
#define GATEWAY_TURN_BYTES     32768u  /* of answers that the daemon itself gives it in one round */
#define GATEWAY_METHOD_BYTES   128u    /* name of a method */
#define GATEWAY_ID_BYTES       1024u   /* of a request's id, as JSON */
#define GATEWAY_LISTEN_BACKLOG 128

#endif
