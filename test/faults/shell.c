/* SPDX-License-Identifier: Apache-2.0 */
#include "acts.h"
#include "faults.h"

#include <spawn.h>
#include <stdlib.h>
#include <unistd.h>

int fault_shell(int value)
{
    char path[ACT_PATH_BYTES];
    char command[ACT_PATH_BYTES + 16];
    act_path(path, value, "written");
    (void)snprintf(command, sizeof command, ": > %s", path);
    int managed = system(command) == 0;
    static char name[] = "true";
    char *const argv[] = {name, NULL};
    pid_t pid;
    managed += posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0;
    return managed;
}
