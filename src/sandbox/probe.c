/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/probe.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/landlock.h"
#include "sandbox/privileges.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static bool seccomp_there(void)
{
    unsigned int action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static bool guard_pages_there(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return false;
    }
    bool there = madvise(page, bytes, MADV_GUARD_INSTALL) == 0;
    (void)munmap(page, bytes);
    return there;
}

uint32_t probe_mechanisms(void)
{
    return ERRAND_LIMITS | (privileges_no_new_there() ? ERRAND_NO_NEW_PRIVILEGES : 0u) |
           (landlock_version() > 0 ? ERRAND_LANDLOCK : 0u) |
           (seccomp_there() ? ERRAND_SECCOMP : 0u) |
           (guard_pages_there() ? ERRAND_MADV_GUARD : 0u) |
           (privileges_can_leave_root() ? ERRAND_UNPRIVILEGED_USER : 0u);
}
