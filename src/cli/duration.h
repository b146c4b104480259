/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DURATION_H
#define CLI_DURATION_H

#include <stdint.h>

/* "250ms", "3s", "1.5s", "2m": in nanoseconds. Returns 0, -EINVAL for anything else, 0 included. */
int duration_parse(const char *text, uint64_t *ret_ns);

/* As above; a bare number is seconds: "2", "0.5". */
int duration_parse_seconds(const char *text, uint64_t *ret_ns);

#endif
