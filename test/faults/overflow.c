/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

/* Each level needs the one above after its return, or the compiler makes it a loop. */
int fault_overflow(int value)
{
    volatile char frame[4096];
    frame[0] = (char)value;
    return fault_overflow(value + 1) + frame[0];
}
