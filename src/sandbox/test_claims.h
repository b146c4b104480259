/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_TEST_CLAIMS_H
#define SANDBOX_TEST_CLAIMS_H

/* A sandbox is for good: each claim about one is tried in a process of its own. */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "policy/policy.h"

#define ALARM_CALL 41000u

typedef void (*claim_fn)(void);

/* In such a process a claim that does not hold ends it, with the line as a trace. */
#define CLAIM(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s (errno %d)\n", __FILE__, __LINE__, #what,    \
                    errno);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* Fails the test unless everything that @claim says holds. */
void expect(claim_fn claim);

/* Skips the test where the kernel has not all of these (enum errand_mechanism). */
void need(uint32_t mechanisms);

/* What the kernel gives a worker whose policy is @policy; never returns without it. */
void enter_policy(const struct policy *policy, uint32_t mechanisms);
void enter(enum policy_preset preset, uint32_t mechanisms);
/* Strict, and these. */
void enter_grants(const char *const *grants, uint32_t mechanisms);

/* Not permitted. */
bool refused(long result);

#endif
