/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

void backoff_fail(struct backoff *backoff, uint64_t now_ns, uint32_t chance)
{
    uint32_t doublings = backoff->failures < 16 ? backoff->failures : 16;
    uint64_t pause_ns = BACKOFF_FIRST_NS << doublings;
    pause_ns = pause_ns < BACKOFF_MOST_NS ? pause_ns : BACKOFF_MOST_NS;
    uint64_t quarter_ns = pause_ns / 4;
    backoff->failures += backoff->failures < UINT32_MAX;
    backoff->until_ns = now_ns + pause_ns - quarter_ns + chance % (2 * quarter_ns + 1);
}
