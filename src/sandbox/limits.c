/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/limits.h"

#include <errno.h>
#include <fcntl.h>
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

int limits_apply(uint64_t memory_bytes)
{
    /* 1, not 0: the kernel pipes a core into a collector at 0, but never at 1. */
    int r = lower(RLIMIT_CORE, 1);
    r = r < 0 ? r : lower(RLIMIT_NOFILE, LIMITS_FILES);
    if (r < 0 || memory_bytes == 0) {
        return r;
    }
    uint64_t mapped = mapped_bytes();
    if (mapped == 0) {
        return -ENODATA;
    }
    return memory_bytes > UINT64_MAX / 2 ? 0 : lower(RLIMIT_AS, mapped + memory_bytes);
}
