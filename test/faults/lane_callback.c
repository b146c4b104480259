/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>

/* Callbacks that nobody gave it. */
int fault_lane_callback(int value)
{
    struct lane_memory lane;
    if (lane_memory_find(&lane)) {
        struct lane_mail *mail = lane_memory_mail(&lane);
        atomic_store(&mail->tag, 0x4321u + (uint32_t)value);
        atomic_store(&mail->words[0], 0);
        atomic_store(&mail->words[1], 2ull << 32);
        lane_memory_publish(mail, LANE_CALLBACK);
        lane_memory_await_host(&lane, LANE_MEMORY_PATIENCE_MS);
    }
    return value;
}
