/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

/* A breakpoint that no debugger set. */
int fault_trap(int value)
{
#if defined(__x86_64__)
    __asm__ volatile("int3");
#else
    __asm__ volatile("brk #0");
#endif
    return value;
}
