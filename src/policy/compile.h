/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

/*
 * From grants as people write them ("read:/usr/share/x", "iconv") to a policy.
 */

#include "base/message.h"
#include "policy/policy.h"

/* 0 in a limit: its default. */
struct policy_wish {
    enum policy_preset preset;
    const char *const *grants; /* NULL-terminated; NULL: none */
    enum policy_violation on_violation;
    uint64_t memory_bytes;
    uint64_t cpu_ms;
    uint64_t file_bytes;
    uint32_t fds;
    uint32_t threads;
};

/*
 * Compile. Values of `env:NAME` are taken from this process's environment; folders that the dynamic
 * loader is configured to search from its configuration.
 *
 * Returns 0, -EINVAL (a grant or limit that cannot be; which, and what would be right), -E2BIG
 * (LIMIT_GRANTS, LIMIT_GRANT_TEXT_BYTES).
 * Threads: any, while nobody changes the environment.
 */
int policy_compile(const struct policy_wish *wish, struct policy *ret_policy, struct message *why);

#endif
