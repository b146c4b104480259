/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include "base/clock.h"

#define ROUND_READINGS 10000u

double floor_clock_round(void *context)
{
    (void)context;
    uint64_t began_ns = clock_now_ns();
    uint64_t last_ns = began_ns;
    for (uint32_t i = 0; i < ROUND_READINGS; i++) {
        last_ns = clock_now_ns();
    }
    return (double)(last_ns - began_ns) / ROUND_READINGS;
}
