/* SPDX-License-Identifier: Apache-2.0 */
#include "acts.h"
#include "faults.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int fault_write_file(int value)
{
    char path[ACT_PATH_BYTES];
    char folder[ACT_PATH_BYTES];
    act_path(path, value, "secret");
    int managed = truncate(path, 0) == 0;
    managed += unlink(path) == 0;
    act_path(folder, value, "folder");
    managed += mkdir(folder, 0700) == 0;
    act_path(path, value, "written");
    managed += symlink("/", path) == 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    managed += fd >= 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return managed;
}
