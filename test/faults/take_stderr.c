/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is open behind a descriptor is shared with whoever gave it: its flags, its place, its content. */
int fault_take_stderr(int value)
{
    int managed = 0;
    (void)value;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        managed += fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
        managed += ftruncate(fd, 0) == 0;
        (void)lseek(fd, 0, SEEK_SET);
        (void)fchmod(fd, 0);
    }
    return managed;
}
