/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdlib.h>

int fault_exit7(int value)
{
    (void)value;
    exit(7);
}
