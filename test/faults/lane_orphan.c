/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 2

/* A child that leaves the session, outlives its parent, and goes on writing. */
int fault_lane_orphan(int value)
{
    struct lane_memory lane;
    bool found = lane_memory_find(&lane);
    pid_t pid = fork();
    if (pid > 0) {
        abort();
    }
    if (pid < 0) {
        return value;
    }
    (void)setsid();
    if (fork() != 0) {
        _exit(0);
    }
    for (time_t end = time(NULL) + SECONDS; time(NULL) < end;) {
        for (uint32_t slot = 0; found && slot < LANE_SLOTS; slot++) {
            atomic_fetch_add(&lane.w->mail[slot].turn, 16);
        }
    }
    _exit(0);
}
