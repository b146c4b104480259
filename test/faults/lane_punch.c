/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>
#include <sys/mman.h>

/* Its own memory a worker may empty; 1 if it could empty the host's. */
int fault_lane_punch(int value)
{
    struct lane_memory lane;
    if (!lane_memory_find(&lane)) {
        return value;
    }
    int managed = madvise(lane.h, lane.h_bytes, MADV_REMOVE) == 0;
    (void)madvise(lane.w, lane.w_bytes, MADV_REMOVE);
    return managed;
}
