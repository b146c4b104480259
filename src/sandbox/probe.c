/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/probe.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/attempt.h"
#include "sandbox/limits.h"
#include "sandbox/landlock.h"
#include "sandbox/privileges.h"

/*
 * How it works. What can only be known by doing it for good (a filter, a Landlock domain) is done by one
 * child that shares this process's memory, leaves what it met in a structure, and ends: a tenth of a
 * millisecond. The keeper's own thread stays as it was.
 */

#define STACK_BYTES (32u * 1024u)

struct findings {
    int no_new_privs; /* 0 or a negative errno, each */
    int landlock;
    int notify;
    int seccomp;
    int traced;
    int limits;
};

/* In the order in which a worker does it. Being traced comes first: a filter may forbid to ask. */
static int try_all(void *context)
{
    struct findings *findings = context;
    findings->traced = ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : -errno;
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    findings->limits = limits_apply(&policy);
    findings->no_new_privs = attempt_no_new_privs();
    findings->landlock = attempt_landlock();
    findings->notify = attempt_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER);
    findings->seccomp = attempt_filter(0);
    if (findings->seccomp == 0) {
        findings->seccomp = attempt_filter(SECCOMP_FILTER_FLAG_TSYNC);
    }
    return 0; /* to clone(), which ends the child */
}

/* A child that died of its attempts (an outer filter kills) has proved nothing about those behind. */
static void find_out(struct findings *ret_findings)
{
    static _Alignas(16) unsigned char stack[STACK_BYTES];
    *ret_findings =
        (struct findings){-ECANCELED, -ECANCELED, -ECANCELED, -ECANCELED, -ECANCELED, -ECANCELED};
    int pid =
        clone(try_all, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, ret_findings, NULL);
    while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {
    }
}

/*
 * A tracer of its own user needs no more than the kernel's word; root's workers become nobody, whom only
 * CAP_SYS_PTRACE reaches.
 */
static bool may_trace(int traced)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (traced != 0 || geteuid() != 0) {
        return traced == 0;
    }
    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & (1u << CAP_SYS_PTRACE));
}

uint32_t probe_mechanisms(void)
{
    struct findings findings;
    find_out(&findings);
    return (findings.limits == 0 ? ERRAND_LIMITS : 0u) |
           (findings.no_new_privs == 0 ? ERRAND_NO_NEW_PRIVILEGES : 0u) |
           (findings.landlock == 0 ? ERRAND_LANDLOCK : 0u) |
           (findings.landlock == 0 && landlock_version() >= LANDLOCK_PORTS ? ERRAND_LANDLOCK_PORTS
                                                                           : 0u) |
           (findings.seccomp == 0 ? ERRAND_SECCOMP : 0u) |
           (findings.seccomp == 0 && findings.notify == 0 ? ERRAND_NOTIFY : 0u) |
           (may_trace(findings.traced) ? ERRAND_TRACE : 0u) |
           (attempt_guard_pages() == 0 ? ERRAND_MADV_GUARD : 0u) |
           (privileges_can_leave_root() ? ERRAND_UNPRIVILEGED_USER : 0u);
}
