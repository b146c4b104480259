/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_GATEWAY_H
#define BENCH_GATEWAY_H

/* The parts of the question `gateway`. Each returns 0 or a negative errno, sentence in the rig's error. */

#include "gateway_rig.h"

/* One request after the other; where the processes are, and how far apart the requests. */
int gateway_ask_sequential(struct stage *stage);
int gateway_ask_spaced(struct stage *stage);

/* Many in flight, from one client and from many. */
int gateway_ask_flight(struct stage *stage);

/* All ways to one function. */
int gateway_ask_table(struct stage *stage);

/* What other clients cost: memory of the daemon, and time of those who are polite. */
int gateway_ask_memory(struct stage *stage);
int gateway_ask_fairness(struct stage *stage);

/* Rounds of a series; context: struct socket_caller *. Nanoseconds a request. */
double gateway_trip_round(void *context);

#endif
