/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <unistd.h>

#define CHILDREN 24 /* a bomb that does not take the machine along where nothing stops it */

int fault_fork_bomb(int value)
{
    int children = 0;
    (void)value;
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            (void)sleep(3);
            _exit(0);
        }
        children += pid > 0;
    }
    return children;
}
