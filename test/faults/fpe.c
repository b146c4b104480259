/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <signal.h>

int fault_fpe(int value)
{
    volatile int zero = 0;
    value /= zero;
    (void)raise(SIGFPE); /* not every CPU traps the division */
    return value;
}
