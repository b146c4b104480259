/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>

int fault_lane_lengths(int value)
{
    struct lane_memory lane;
    if (lane_memory_find(&lane)) {
        struct lane_mail *mail = lane_memory_mail(&lane);
        atomic_store(&mail->status_bytes, UINT32_MAX);
        lane_memory_publish(mail, LANE_RETURN);
        lane_memory_await_host(&lane, LANE_MEMORY_PATIENCE_MS);
    }
    return value;
}
