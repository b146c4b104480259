/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"

static int lower(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return -errno;
    }
    limit.rlim_max = limit.rlim_max < most ? limit.rlim_max : most;
    limit.rlim_cur = limit.rlim_cur < limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
    return setrlimit(resource, &limit) == 0 ? 0 : -errno;
}

/* Address space in use. 0: /proc cannot tell. */
static uint64_t mapped_bytes(void)
{
    OWN_FD fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    char text[64];
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0) {
        return 0;
    }
    text[length] = '\0';
    return strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int limit_cpu(uint64_t cpu_ms)
{
    rlim_t seconds = cpu_ms / 1000 + (cpu_ms % 1000 != 0);
    int r = lower(RLIMIT_CPU, seconds + 1);
    struct rlimit limit;
    if (r < 0 || getrlimit(RLIMIT_CPU, &limit) != 0) {
        return r < 0 ? r : -errno;
    }
    limit.rlim_cur = limit.rlim_cur < seconds ? limit.rlim_cur : seconds;
    return setrlimit(RLIMIT_CPU, &limit) == 0 ? 0 : -errno;
}

static int limit_files(uint64_t file_bytes)
{
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR) {
        return -errno;
    }
    return file_bytes > INT64_MAX ? 0 : lower(RLIMIT_FSIZE, file_bytes);
}

int limits_apply(const struct policy *policy)
{
    /* 1, not 0: the kernel pipes a core into a collector at 0, but never at 1. */
    int r = lower(RLIMIT_CORE, 1);
    r = r < 0 ? r : lower(RLIMIT_NOFILE, policy->fds);
    r = r < 0 ? r : limit_cpu(policy->cpu_ms);
    r = r < 0 ? r : limit_files(policy->file_bytes);
    if (r < 0 || policy->memory_bytes == 0) {
        return r;
    }
    uint64_t mapped = mapped_bytes();
    if (mapped == 0) {
        return -ENODATA;
    }
    return policy->memory_bytes > UINT64_MAX / 2 ? 0
                                                 : lower(RLIMIT_AS, mapped + policy->memory_bytes);
}
