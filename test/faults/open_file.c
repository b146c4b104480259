/* SPDX-License-Identifier: Apache-2.0 */
#include "acts.h"
#include "faults.h"

#include <fcntl.h>
#include <unistd.h>

/* A file that everybody may read, but that no library needs. */
int fault_open_file(int value)
{
    char path[ACT_PATH_BYTES];
    act_path(path, value, "secret");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}
