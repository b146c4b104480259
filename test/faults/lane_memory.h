/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FAULTS_LANE_MEMORY_H
#define TEST_FAULTS_LANE_MEMORY_H

/*
 * The lane's two memories, as hostile code finds them from inside a call: by /proc/self/maps, else by looking
 * at every page of the neighbourhood. Where there is none (level inline) the host's own memory is at hand.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lane/layout.h"

struct lane_memory {
    struct lane_host_page *h;
    struct lane_worker_page *w;
    uint32_t h_bytes;
    uint32_t w_bytes;
};

/* False: there is no lane here; then the host's canary, if one is in reach, has been overwritten. */
bool lane_memory_find(struct lane_memory *ret_lane);

/* The same by looking at pages alone. */
bool lane_memory_scan(struct lane_memory *ret_lane);

/* The mail of the call in progress, if it is the only one. */
struct lane_mail *lane_memory_mail(const struct lane_memory *lane);

/* The worker's next message in @mail, which the library writes in its place; wakes the host. */
void lane_memory_publish(struct lane_mail *mail, enum lane_verb verb);

/* Until the host has ended the lane, or it is clear that it will not. */
#define LANE_MEMORY_MOMENT_MS   30   /* where the host is to go on */
#define LANE_MEMORY_PATIENCE_MS 1000 /* where a lie is to be seen before the worker mends it */
void lane_memory_await_host(const struct lane_memory *lane, int ms);

#endif
