/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stddef.h>

int fault_null_write(int value)
{
    volatile int *nowhere = NULL;
    *nowhere = value;
    return value;
}
