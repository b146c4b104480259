/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <signal.h>
#include <unistd.h>

int fault_kill_parent(int value)
{
    (void)value;
    return getppid() > 0 && kill(getppid(), SIGKILL) == 0;
}
