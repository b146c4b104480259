/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>

int fault_lane_offsets(int value)
{
    struct lane_memory lane;
    if (lane_memory_find(&lane)) {
        struct lane_mail *mail = lane_memory_mail(&lane);
        atomic_store(&mail->tag, 1);
        atomic_store(&mail->words[0], lane_place(lane.w_bytes - 8, UINT32_MAX - 7));
        atomic_store(&mail->words[1], 0);
        lane_memory_publish(mail, LANE_CALLBACK);
        lane_memory_await_host(&lane, LANE_MEMORY_PATIENCE_MS);
    }
    return value;
}
