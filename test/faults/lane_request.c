/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>
#include <sys/mman.h>

/* What the host relies on: its verdict, its copy of the request. */
int fault_lane_request(int value)
{
    struct lane_memory lane;
    if (!lane_memory_find(&lane)) {
        return value;
    }
    (void)mprotect(lane.h, lane.h_bytes, PROT_READ | PROT_WRITE);
    (void)mremap(lane.h, 0, lane.h_bytes, MREMAP_MAYMOVE); /* a second view of it */
    atomic_store(&lane.h->submitted, 0x80000000u);
    return 1;
}
