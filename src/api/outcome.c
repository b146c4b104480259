/* SPDX-License-Identifier: Apache-2.0 */
#include "cordon/outcome.h"

const char *cordon_outcome_name(int outcome)
{
    static const char *const names[] = {
        [CORDON_DONE] = "done",       [CORDON_CRASHED] = "crashed", [CORDON_TIMEOUT] = "timeout",
        [CORDON_ABORTED] = "aborted", [CORDON_DENIED] = "denied",   [CORDON_BUSY] = "busy",
        [CORDON_STALE] = "stale",     [CORDON_OPEN] = "open",
    };
    return outcome >= 0 && outcome <= CORDON_OPEN ? names[outcome] : "unknown";
}
