/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdint.h>

int fault_wild_write(int value)
{
    volatile uintptr_t wild = (uintptr_t)0x00dead0000000000;
    *(volatile int *)wild = value;
    return value;
}
