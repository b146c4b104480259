/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>
#include <unistd.h>

/* Never answers, and pretends to be at it, so that the host may spin. */
int fault_lane_silence(int value)
{
    struct lane_memory lane;
    bool found = lane_memory_find(&lane);
    for (;;) {
        if (found) {
            atomic_store(&lane.w->worker_state, LANE_WORKER_RUNNING);
            atomic_store(&lane.w->worker_cpu, (uint32_t)value);
        }
        (void)usleep(1000);
    }
}
