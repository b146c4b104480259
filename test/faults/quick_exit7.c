/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <unistd.h>

int fault_quick_exit7(int value)
{
    (void)value;
    _exit(7);
}
