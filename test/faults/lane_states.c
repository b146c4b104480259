/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>

int fault_lane_states(int value)
{
    struct lane_memory lane;
    if (lane_memory_find(&lane)) {
        atomic_store(&lane.w->worker_state, 0xdeadbeefu);
        atomic_store(&lane.w->worker_cpu, UINT32_MAX);
        atomic_store(&lane.w->queued, UINT32_MAX);
    }
    return value;
}
