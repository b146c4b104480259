/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <signal.h>

int fault_spin_blocked(int value)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    volatile int spins = value;
    for (;;) {
        spins = spins + 1;
    }
}
