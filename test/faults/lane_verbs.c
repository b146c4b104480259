/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>

/* A message that a worker never sends, many steps ahead. */
int fault_lane_verbs(int value)
{
    struct lane_memory lane;
    if (lane_memory_find(&lane)) {
        struct lane_mail *mail = lane_memory_mail(&lane);
        atomic_store(&mail->turn, lane_turn(0x07654321u, (enum lane_verb)15));
        lane_memory_publish(mail, (enum lane_verb)14);
        lane_memory_await_host(&lane, LANE_MEMORY_PATIENCE_MS);
    }
    return value;
}
