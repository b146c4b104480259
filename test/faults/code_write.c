/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdint.h>

int fault_code_write(int value)
{
    volatile uintptr_t code = (uintptr_t)fault_code_write;
    *(volatile unsigned char *)code = (unsigned char)value;
    return value;
}
