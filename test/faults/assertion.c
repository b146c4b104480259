/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#undef NDEBUG
#include <assert.h>

int fault_assertion(int value)
{
    assert(value == value + 1);
    return value;
}
