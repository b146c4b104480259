/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "cell/cell.h"
#include "lane/errand.h"

#define PROCESS_ALWAYS                                                                             \
    (CORDON_SURVIVES_CRASH | CORDON_SURVIVES_EXIT | CORDON_SURVIVES_OVERFLOW |                     \
     CORDON_RETURNS_AT_DEADLINE | CORDON_ENDS_LOOPS | CORDON_SEPARATE_MEMORY |                     \
     CORDON_SEPARATE_SIGNALS | CORDON_HEALS)

static uint32_t of_process(enum cordon_policy policy, uint32_t mechanisms)
{
    uint32_t promised = PROCESS_ALWAYS;
    if ((mechanisms & ERRAND_SECCOMP) && policy != CORDON_POLICY_TRUSTED) {
        promised |= CORDON_NO_PROCESSES;
        if (policy != CORDON_POLICY_NETWORK) {
            promised |= CORDON_NO_NETWORK;
        }
    }
    if ((mechanisms & ERRAND_LANDLOCK) &&
        (policy == CORDON_POLICY_STRICT || policy == CORDON_POLICY_NETWORK)) {
        promised |= CORDON_NO_WRITES;
    }
    if (mechanisms & ERRAND_PID_NAMESPACE) {
        promised |= CORDON_NO_ORPHANS;
    }
    if (mechanisms & ERRAND_NO_NEW_PRIVILEGES) {
        promised |= CORDON_UNPRIVILEGED;
    }
    return promised;
}

uint32_t isolation_of(enum cordon_level level, enum cordon_policy policy, uint32_t mechanisms)
{
    switch (level) {
    case CORDON_LEVEL_PROCESS:
        return of_process(policy, mechanisms);
    case CORDON_LEVEL_THREAD:
        return CORDON_SURVIVES_CRASH | CORDON_SURVIVES_OVERFLOW | CORDON_RETURNS_AT_DEADLINE;
    case CORDON_LEVEL_INLINE:
        return CORDON_SURVIVES_CRASH | CORDON_SURVIVES_OVERFLOW;
    }
    return 0;
}

const char *isolation_name(uint32_t bit)
{
    switch (bit) {
    case CORDON_SURVIVES_CRASH:
        return "survives-crash";
    case CORDON_SURVIVES_EXIT:
        return "survives-exit";
    case CORDON_SURVIVES_OVERFLOW:
        return "survives-overflow";
    case CORDON_RETURNS_AT_DEADLINE:
        return "returns-at-deadline";
    case CORDON_ENDS_LOOPS:
        return "ends-loops";
    case CORDON_SEPARATE_MEMORY:
        return "separate-memory";
    case CORDON_SEPARATE_SIGNALS:
        return "separate-signals";
    case CORDON_HEALS:
        return "heals";
    case CORDON_NO_PROCESSES:
        return "no-processes";
    case CORDON_NO_NETWORK:
        return "no-network";
    case CORDON_NO_WRITES:
        return "no-writes";
    case CORDON_NO_ORPHANS:
        return "no-orphans";
    case CORDON_UNPRIVILEGED:
        return "unprivileged";
    default:
        return NULL;
    }
}

int isolation_require(uint32_t promised, uint32_t required, struct message *why)
{
    uint32_t missing = required & ~promised & ~(uint32_t)CORDON_BEST_EFFORT;
    if (missing == 0 || (required & CORDON_BEST_EFFORT)) {
        return 0;
    }
    (void)message_set(why, 0, "required, but not to be had at this level here:");
    for (uint32_t bit = 1; bit != 0 && bit <= CORDON_BEST_EFFORT; bit <<= 1) {
        if (missing & bit) {
            const char *name = isolation_name(bit);
            message_add(why, " %s", name ? name : "(unknown)");
        }
    }
    return -ENOTSUP;
}
