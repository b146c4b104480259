/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>
#include <sys/mman.h>

int fault_lane_unmap(int value)
{
    struct lane_memory lane;
    if (lane_memory_find(&lane)) {
        (void)munmap(lane.w, lane.w_bytes);
        (void)munmap(lane.h, lane.h_bytes);
    }
    return value;
}
