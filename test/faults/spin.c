/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

int fault_spin(int value)
{
    volatile int spins = value;
    for (;;) {
        spins = spins + 1;
    }
}
