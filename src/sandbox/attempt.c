/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/attempt.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* Newer than the headers that may be installed; one number on every architecture. */
#define NR_LANDLOCK_CREATE_RULESET 444
#define NR_LANDLOCK_RESTRICT_SELF  446
#define LANDLOCK_MAKE_BLOCK        (1ull << 11)

int attempt_no_new_privs(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
}

int attempt_landlock(void)
{
    uint64_t handled = LANDLOCK_MAKE_BLOCK; /* the first version's whole structure */
    OWN_FD fd = (int)syscall(NR_LANDLOCK_CREATE_RULESET, &handled, sizeof handled, 0);
    if (fd < 0) {
        return -errno;
    }
    return syscall(NR_LANDLOCK_RESTRICT_SELF, fd, 0) == 0 ? 0 : -errno;
}

int attempt_filter(unsigned flags)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = 1, .filter = code};
    long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (r < 0) {
        return -errno;
    }
    if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) {
        (void)close((int)r);
        return 0;
    }
    return r == 0 ? 0 : -ESRCH; /* TSYNC: a thread that could not be reached */
}

int attempt_guard_pages(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return -errno;
    }
    int r = madvise(page, bytes, MADV_GUARD_INSTALL) == 0 ? 0 : -errno;
    (void)munmap(page, bytes);
    return r;
}
