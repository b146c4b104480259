/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "cell/cell.h"
#include "lane/errand.h"

#define PROCESS (1u << CORDON_LEVEL_PROCESS)
#define THREAD  (1u << CORDON_LEVEL_THREAD)
#define INLINE  (1u << CORDON_LEVEL_INLINE)

/* True if a policy leaves it to the mechanisms. */
typedef bool (*leaves_fn)(const struct policy *policy);

static bool always(const struct policy *policy)
{
    (void)policy;
    return true;
}

static bool is_sandboxed(const struct policy *policy)
{
    return !policy_has(policy, POLICY_EVERYTHING);
}

static bool makes_no_processes(const struct policy *policy)
{
    return !policy_makes_processes(policy);
}

static bool has_no_network(const struct policy *policy)
{
    return !policy_has_network(policy);
}

static bool writes_nothing(const struct policy *policy)
{
    return !policy_writes_all(policy) && !policy_has_kind(policy, POLICY_WRITE);
}

static bool reads_not_all(const struct policy *policy)
{
    return !policy_reads_all(policy);
}

/* Where no socket is granted there is nothing to limit: no-network says more. */
static bool limits_ports(const struct policy *policy)
{
    return policy_limits_ports(policy) && policy_has_network(policy);
}

/* One promise: at which levels, and at level process under which policies, resting on what. */
struct promise {
    uint32_t bit;
    const char *name;
    uint32_t levels;
    leaves_fn leaves;
    uint32_t mechanisms; /* enum errand_mechanism: all of them */
};

static const struct promise promises[] = {
    {CORDON_SURVIVES_CRASH, "survives-crash", PROCESS | THREAD | INLINE, always, 0},
    {CORDON_SURVIVES_EXIT, "survives-exit", PROCESS, always, 0},
    {CORDON_SURVIVES_OVERFLOW, "survives-overflow", PROCESS | THREAD | INLINE, always, 0},
    {CORDON_RETURNS_AT_DEADLINE, "returns-at-deadline", PROCESS | THREAD, always, 0},
    {CORDON_ENDS_LOOPS, "ends-loops", PROCESS, always, 0},
    {CORDON_SEPARATE_MEMORY, "separate-memory", PROCESS, always,
     0}, /* see memory_is_out_of_reach() */
    {CORDON_SEPARATE_SIGNALS, "separate-signals", PROCESS, always, 0},
    {CORDON_HEALS, "heals", PROCESS, always, 0},
    {CORDON_NO_PROCESSES, "no-processes", PROCESS, makes_no_processes, ERRAND_SECCOMP},
    {CORDON_NO_NETWORK, "no-network", PROCESS, has_no_network, ERRAND_SECCOMP},
    {CORDON_NO_WRITES, "no-writes", PROCESS, writes_nothing, ERRAND_LANDLOCK | ERRAND_SECCOMP},
    {CORDON_NO_ORPHANS, "no-orphans", PROCESS, always, ERRAND_PID_NAMESPACE},
    {CORDON_UNPRIVILEGED, "unprivileged", PROCESS, always,
     ERRAND_NO_NEW_PRIVILEGES | ERRAND_UNPRIVILEGED_USER},
    {CORDON_LISTS_VIOLATIONS, "lists-violations", PROCESS, is_sandboxed,
     ERRAND_SECCOMP | ERRAND_NOTIFY},
    {CORDON_LIMITS_MEMORY, "limits-memory", PROCESS, always, ERRAND_LIMITS},
    {CORDON_HANG_STACKS, "hang-stacks", PROCESS, always, ERRAND_TRACE | ERRAND_REPORTS},
    {CORDON_CONFINES_READS, "confines-reads", PROCESS, reads_not_all, ERRAND_LANDLOCK},
    {CORDON_ONLY_GRANTED_PORTS, "only-granted-ports", PROCESS, limits_ports,
     ERRAND_SECCOMP | ERRAND_LANDLOCK | ERRAND_LANDLOCK_PORTS},
    {CORDON_NO_SIGNALS, "no-signals", PROCESS, makes_no_processes, ERRAND_SECCOMP},
};

#define PROMISES (sizeof promises / sizeof promises[0])

/*
 * The memory of two processes is apart; /proc/PID/mem and process_vm_writev() are what could still reach
 * ours. A user of its own or a user namespace of its own forbids it, and so do Landlock's domains;
 * seccomp does where it also keeps files from being opened for writing.
 */
static bool memory_is_out_of_reach(const struct policy *policy, uint32_t mechanisms)
{
    if ((mechanisms & ERRAND_USER_NAMESPACE) ||
        ((mechanisms & ERRAND_UNPRIVILEGED_USER) && geteuid() == 0)) {
        return true;
    }
    if (policy_has(policy, POLICY_EVERYTHING)) {
        return false;
    }
    return (mechanisms & ERRAND_LANDLOCK) ||
           ((mechanisms & ERRAND_SECCOMP) && writes_nothing(policy));
}

static bool is_kept(const struct promise *promise, const struct policy *policy, uint32_t mechanisms)
{
    return promise->leaves(policy) && (promise->mechanisms & ~mechanisms) == 0 &&
           (promise->bit != CORDON_SEPARATE_MEMORY || memory_is_out_of_reach(policy, mechanisms));
}

uint32_t isolation_of(enum cordon_level level, const struct policy *policy, uint32_t mechanisms)
{
    uint32_t promised = 0;
    for (size_t i = 0; i < PROMISES; i++) {
        const struct promise *promise = &promises[i];
        if ((promise->levels & (1u << level)) &&
            (level != CORDON_LEVEL_PROCESS || is_kept(promise, policy, mechanisms))) {
            promised |= promise->bit;
        }
    }
    return promised;
}

const char *isolation_name(uint32_t bit)
{
    for (size_t i = 0; i < PROMISES; i++) {
        if (promises[i].bit == bit) {
            return promises[i].name;
        }
    }
    return NULL;
}

uint32_t isolation_needs(uint32_t bit)
{
    for (size_t i = 0; i < PROMISES; i++) {
        if (promises[i].bit == bit) {
            return promises[i].mechanisms;
        }
    }
    return 0;
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
