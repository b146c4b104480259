/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdlib.h>
#include <string.h>

/* The allocator's own list lies in what was freed: the second allocation follows what was written there. */
int fault_use_after_free(int value)
{
    char *volatile first = malloc(64);
    char *volatile second = malloc(64);
    free(first);
    free(second);
    memset(second, value | 0x41, 64);
    char *volatile third = malloc(64);
    char *volatile fourth = malloc(64);
    memset(third, 0, 64);
    memset(fourth, 0, 64);
    return value;
}
