/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <signal.h>

int fault_raise_segv(int value)
{
    (void)raise(SIGSEGV);
    return value;
}
