/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <signal.h>

int fault_kill_group(int value)
{
    (void)value;
    return kill(0, SIGKILL) == 0;
}
