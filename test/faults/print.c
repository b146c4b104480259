/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdio.h>
#include <unistd.h>

int fault_print(int value)
{
    static const char text[] = "this is not the host's output\n";
    (void)!write(STDOUT_FILENO, text, sizeof text - 1);
    (void)printf("nor is this: %d\n", value);
    (void)fflush(stdout);
    return 0;
}
