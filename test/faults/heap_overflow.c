/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdlib.h>
#include <string.h>

int fault_heap_overflow(int value)
{
    char *volatile first = malloc(40);
    char *volatile second = malloc(40);
    memset(first, value | 0x41, 8192);
    free(second);
    free(first);
    return value;
}
