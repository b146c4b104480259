/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/pace.h"

#include "gateway/gateway_limits.h"

#define PURSE_MOST_NS 200000u
#define PURSE_WON_NS  25000u
#define PURSE_CAME_NS 250u

void pace_note(struct pace *pace, uint64_t elapsed_ns, uint32_t count)
{
    uint64_t call_ns = elapsed_ns / count;
    if (pace->call_ns == 0) {
        pace->call_ns = call_ns;
    } else if (call_ns < pace->call_ns) {
        pace->call_ns -= (pace->call_ns - call_ns + 3) / 4;
    } else {
        pace->call_ns += (call_ns - pace->call_ns) / 16;
    }
    pace->call_ns = pace->call_ns > 0 ? pace->call_ns : 1;
}

static void earn(struct pace *pace, uint32_t ns)
{
    pace->purse_ns = pace->purse_ns < PURSE_MOST_NS - ns ? pace->purse_ns + ns : PURSE_MOST_NS;
}

bool pace_may_look(const struct pace *pace)
{
    return pace->purse_ns >= GATEWAY_LOOK_NS;
}

void pace_looked(struct pace *pace, bool came, uint64_t spent_ns)
{
    if (came) {
        earn(pace, PURSE_WON_NS);
    } else {
        pace->purse_ns -= spent_ns < pace->purse_ns ? (uint32_t)spent_ns : pace->purse_ns;
    }
}

void pace_came(struct pace *pace)
{
    earn(pace, PURSE_CAME_NS);
}
