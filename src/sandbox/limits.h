/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_LIMITS_H
#define SANDBOX_LIMITS_H

/* Limits: how much of the machine a worker may take. Lowered for good, never raised. */

#include <stdint.h>

#define LIMITS_FILES 1024u

/*
 * No core file, at most LIMITS_FILES descriptors, and @memory_bytes of address space beyond what is
 * mapped now (0: as much as there is). Returns 0 or a negative errno.
 */
int limits_apply(uint64_t memory_bytes);

#endif
