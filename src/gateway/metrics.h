/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_METRICS_H
#define GATEWAY_METRICS_H

/*
 * Metrics: what the daemon does, for Prometheus. Their number is bounded by the configuration, never by what clients
 * send: a method has series once it was called, and of a cell's methods the first METRICS_METHODS have their own.
 * All others of that cell are one, called "(others)".
 */

#include <stdbool.h>

#include "json/json_out.h"

#define METRICS_METHODS 256u

struct exposition;
struct gateway;

/* Of cells and methods. Threads: the loop's. */
void metrics_write(const struct gateway *gateway, struct exposition *x);

/* Of the process: processor time, memory, descriptors. Threads: any. Blocks: reads /proc/self. */
void metrics_write_process(struct exposition *x);

#endif
