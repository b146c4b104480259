/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_STATS_H
#define GATEWAY_STATS_H

/*
 * Statistics: what the daemon does, as JSON (cordon.stats, `cordon top`, the status page; the shape is in
 * docs/protocol/gateway.md). For Prometheus: metrics.h.
 *
 * Threads: the loop's.
 */

#include "json/json_out.h"

struct gateway;
struct house;

/* One JSON object. @cell: this one alone; NULL: all. */
void stats_write(const struct gateway *gateway, const char *cell, struct json_out *out);

/* "ready", "starting", or "unavailable": no worker can be had. */
const char *stats_state(const struct house *house);

#endif
