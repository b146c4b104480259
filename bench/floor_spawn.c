/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include "base/clock.h"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#define ROUND_SPAWNS 3u

double floor_spawn_round(void *context)
{
    const char *path = context;
    char name[] = "empty";
    char *arguments[] = {name, NULL};
    char *environment[] = {NULL};
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < ROUND_SPAWNS; i++) {
        pid_t pid;
        int status;
        if (posix_spawn(&pid, path, NULL, NULL, arguments, environment) != 0 ||
            waitpid(pid, &status, 0) != pid || status != 0) {
            abort();
        }
    }
    return (double)(clock_now_ns() - began_ns) / ROUND_SPAWNS;
}
