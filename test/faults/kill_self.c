/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <signal.h>
#include <unistd.h>

int fault_kill_self(int value)
{
    (void)kill(getpid(), SIGKILL);
    return value;
}
