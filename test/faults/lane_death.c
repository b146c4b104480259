/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"
#include "lane_memory.h"

#include <stddef.h>
#include <unistd.h>

/* Dies behind step @value of an answer: between any two of them. */
int fault_lane_death(int value)
{
    struct lane_memory lane;
    if (value == 0 || !lane_memory_find(&lane)) {
        _exit(1);
    }
    struct lane_mail *mail = lane_memory_mail(&lane);
    uint32_t turn = atomic_load(&mail->turn);
    uint32_t step = lane_step_next(lane_turn_step(turn));
    atomic_store(&lane.w->worker_state, LANE_WORKER_PARKED);
    if (value >= 2) {
        atomic_store(&mail->tag, 0);
    }
    if (value >= 3) {
        atomic_store(&mail->words[0], 0);
    }
    if (value >= 4) {
        atomic_store(&mail->status_bytes, 0);
    }
    if (value == 5 || value == 6) { /* a callback, whose answer nobody takes */
        atomic_store(&mail->turn, lane_turn(step, LANE_CALLBACK));
    }
    if (value == 6) { /* and an answer at once, as if it had been */
        atomic_store(&mail->turn, lane_turn(step + 1, LANE_RETURN));
    }
    if (value == 7) { /* an answer in time, whose bell never rings */
        atomic_store(&mail->turn, lane_turn(step, LANE_RETURN));
    }
    _exit(1);
}
