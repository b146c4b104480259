/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>

/* The answer names an object that there never was. */
void *fault_lane_handle(int value)
{
    static int object;
    struct lane_memory lane;
    if (lane_memory_find(&lane)) {
        struct lane_mail *mail = lane_memory_mail(&lane);
        atomic_store(&mail->words[0], 0x0000004d00000539u + (unsigned)(value & 1));
        atomic_store(&mail->status_bytes, 0);
        lane_memory_publish(mail, LANE_RETURN);
        lane_memory_await_host(&lane, LANE_MEMORY_MOMENT_MS);
    }
    return &object;
}

int fault_lane_use(const void *object)
{
    return object != NULL;
}
