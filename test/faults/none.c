/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

int fault_none(int value)
{
    return value;
}
