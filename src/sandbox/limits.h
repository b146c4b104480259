/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_LIMITS_H
#define SANDBOX_LIMITS_H

/* Limits: how much of the machine a worker may take. Lowered for good, never raised. */

#include "policy/policy.h"

/*
 * The policy's limits but its threads, which the listener counts; no core file. What is beyond
 * file_bytes answers EFBIG; at the end of cpu_ms comes SIGXCPU, a second later SIGKILL. Returns 0 or a
 * negative errno.
 */
int limits_apply(const struct policy *policy);

#endif
