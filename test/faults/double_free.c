/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdlib.h>

int fault_double_free(int value)
{
    void *volatile memory = malloc(64);
    void *volatile again = memory;
    free(memory);
    free(again);
    return value;
}
