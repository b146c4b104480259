/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/landlock.h"

#include <errno.h>

int landlock_version(void)
{
    return 0;
}

int landlock_apply(const struct landlock_wish *wish)
{
    (void)wish;
    return -ENOSYS;
}
