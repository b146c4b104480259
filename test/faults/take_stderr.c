/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <fcntl.h>
#include <unistd.h>

/* What is open behind a descriptor is shared with whoever gave it: its flags, and its place. */
int fault_take_stderr(int value)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        (void)lseek(fd, 0, SEEK_SET);
    }
    return value;
}
