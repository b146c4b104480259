/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <unistd.h>

#define DESCRIPTORS 4000

int fault_fd_leak(int value)
{
    (void)value;
    for (int i = 0; i < DESCRIPTORS && dup(STDIN_FILENO) >= 0; i++) {
    }
    return 0;
}
