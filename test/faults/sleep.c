/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <unistd.h>

int fault_sleep(int value)
{
    while (sleep(1000) > 0) {
    }
    return value;
}
