/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_GATEWAY_WORKER_H
#define FUZZ_GATEWAY_WORKER_H

/*
 * Workers of fuzz_gateway: libcordon's sessions as the gateway uses them, played by a script: calls are taken or
 * refused, end soon, late or badly, give any values that their types allow, and give handles.
 */

#include <stddef.h>
#include <stdint.h>

void worker_begin(const uint8_t *script, size_t bytes);

/* All that was submitted has been collected. */
void worker_end(void);

/* Far enough for the deadlines of whatever nobody serves. */
uint64_t worker_now_ns(void);

#endif
