/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <unistd.h>

int fault_pause(int value)
{
    (void)value;
    for (;;) {
        (void)pause();
    }
}
