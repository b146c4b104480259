/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>

/* Once by itself, and once more by the worker when it comes back. */
int fault_lane_twice(int value)
{
    struct lane_memory lane;
    if (lane_memory_find(&lane)) {
        struct lane_mail *mail = lane_memory_mail(&lane);
        atomic_store(&mail->words[0], 0);
        atomic_store(&mail->status_bytes, 0);
        lane_memory_publish(mail, LANE_RETURN);
        lane_memory_await_host(&lane, LANE_MEMORY_MOMENT_MS);
    }
    return value;
}
