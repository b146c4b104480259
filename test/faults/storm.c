/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

int fault_storm(int (*callback)(int), int value)
{
    for (;;) {
        value = callback(value);
    }
}
