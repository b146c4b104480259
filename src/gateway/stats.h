/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_STATS_H
#define GATEWAY_STATS_H

/*
 * Statistics: what the daemon does, as JSON (cordon.stats, `cordon top`, the status page; the shape is in
 * cordon-stats(1)) and in Prometheus' text form (/metrics).
 *
 * Threads: the loop's.
 */

#include "json/json_out.h"

struct gateway;

/* One JSON object. @cell: this one alone; NULL: all. */
void stats_write(const struct gateway *gateway, const char *cell, struct json_out *out);

/* Prometheus' text exposition, version 0.0.4, as raw text. */
void stats_write_metrics(const struct gateway *gateway, struct json_out *out);

#endif
