/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "cell/cell.h"
#include "cell/platform.h"

/* What the promises that are required and missing would rest on. */
static uint32_t needed_by(uint32_t bits)
{
    uint32_t mechanisms = 0;
    for (uint32_t bit = 1; bit < CORDON_BEST_EFFORT; bit <<= 1) {
        mechanisms |= bits & bit ? isolation_needs(bit) : 0;
    }
    return mechanisms;
}

static int require_mechanisms(const struct cordon_cell *cell, uint32_t there, struct message *why)
{
    uint32_t missing = cell->options.require_mechanisms & ~there;
    if (missing == 0) {
        return 0;
    }
    if (cell->options.level != CORDON_LEVEL_PROCESS) {
        return message_set(why, -ENOTSUP,
                           "mechanisms of the kernel are required, which only level process uses");
    }
    (void)message_set(why, 0, "mechanisms are required that are not in force here");
    platform_blame(cell->options.keeper_path, missing, cell->options.without, why);
    return -ENOTSUP;
}

int cell_require(const struct cordon_cell *cell, uint32_t mechanisms, struct message *why)
{
    const struct cordon_cell_options *options = &cell->options;
    if (options->require & CORDON_BEST_EFFORT) {
        return 0;
    }
    int r = isolation_require(cell->isolation, options->require, why);
    if (r < 0) {
        uint32_t needed = needed_by(options->require & ~cell->isolation);
        if (options->level == CORDON_LEVEL_PROCESS) {
            platform_blame(options->keeper_path, needed & ~mechanisms, options->without, why);
        }
        return r;
    }
    return require_mechanisms(cell, mechanisms, why);
}
