/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>
#include <string.h>

#define SCRIBBLE_BYTES (256u * 1024u)

int fault_lane_scribble(int value)
{
    struct lane_memory lane;
    if (lane_memory_find(&lane)) {
        memset((void *)lane.w, value | 0x80, SCRIBBLE_BYTES);
    }
    return value;
}
