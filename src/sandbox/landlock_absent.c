/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/landlock.h"

#include <errno.h>

int landlock_version(void)
{
    return 0;
}

int landlock_enter(const struct policy *policy, const char *library)
{
    (void)policy;
    (void)library;
    return -ENOSYS;
}

int landlock_prepare_seal(const struct policy *policy, int *ret_fd)
{
    (void)policy;
    (void)ret_fd;
    return -ENOSYS;
}

int landlock_seal(int fd)
{
    (void)fd;
    return -ENOSYS;
}
