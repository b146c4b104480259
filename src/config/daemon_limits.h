/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_DAEMON_LIMITS_H
#define CONFIG_DAEMON_LIMITS_H

/* Limits of the daemon by name (docs/protocol/gateway.md), and what they are unless configured. */

#include <stdint.h>

struct gateway_limits {
    uint32_t frame_bytes;
    uint32_t nesting;
    uint32_t clients;
    uint32_t clients_per_user; /* 0: half of clients */
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

#define GATEWAY_DRAIN_MS     10000u
#define GATEWAY_METHOD_BYTES 128u /* name of a method */

#endif
