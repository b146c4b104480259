/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdint.h>

int fault_wild_jump(int value)
{
    volatile uintptr_t nowhere = 0x00dead0000000000;
    return ((int (*)(int))nowhere)(value);
}
