/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stddef.h>

int fault_null_read(int value)
{
    const volatile int *nowhere = NULL;
    return *nowhere + value;
}
