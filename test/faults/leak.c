/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdlib.h>
#include <string.h>

#define LEAK_BYTES (32u << 20)

int fault_leak(int value)
{
    char *volatile lost = malloc(LEAK_BYTES);
    if (lost) {
        memset(lost, value, LEAK_BYTES);
    }
    return 0;
}
