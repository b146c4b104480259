/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdlib.h>

int fault_abort(int value)
{
    (void)value;
    abort();
}
