/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <signal.h>
#include <unistd.h>

int fault_stop(int value)
{
    (void)kill(getpid(), SIGSTOP);
    return value;
}
