/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/violations.h"

#include <string.h>

#include "lane/violation.h"

_Static_assert(CORDON_VIOLATIONS_KEPT == LANE_VIOLATIONS &&
                   CORDON_VIOLATION_TEXT_BYTES == LANE_GRANT_BYTES,
               "as they travel");

static void keep(struct violations *violations, const struct lane_act *act)
{
    struct cordon_violation *kept = &violations->kept[violations->ever % CORDON_VIOLATIONS_KEPT];
    kept->system_call = (uint32_t)act->system_call;
    kept->error_number = act->error;
    memcpy(kept->act, act->act, sizeof kept->act);
    memcpy(kept->grant, act->grant, sizeof kept->grant);
}

uint32_t violations_read(struct violations *violations, uint32_t count)
{
    uint32_t fresh = count - violations->seen;
    uint32_t lost = fresh > LANE_VIOLATIONS ? fresh - LANE_VIOLATIONS : 0;
    violations->ever += lost;
    for (uint32_t number = violations->seen + lost + 1; number != count + 1; number++) {
        struct lane_act act;
        if (!lane_violation_read(violations->h, number, &act)) {
            /* Newer ones took its place: they are read at the next look. */
            act = (struct lane_act){.act = "(not kept)"};
        }
        keep(violations, &act);
        violations->ever++;
    }
    violations->seen = count;
    return fresh;
}
