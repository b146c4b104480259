/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include "base/clock.h"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#define ROUND_SPAWNS 3u

static double spawn_timed(const char *path, uint32_t spawns)
{
    char name[] = "empty";
    char *arguments[] = {name, NULL};
    char *environment[] = {NULL};
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < spawns; i++) {
        pid_t pid;
        int status;
        if (posix_spawn(&pid, path, NULL, NULL, arguments, environment) != 0 ||
            waitpid(pid, &status, 0) != pid || status != 0) {
            abort();
        }
    }
    return (double)(clock_now_ns() - began_ns) / spawns;
}

double floor_spawn_round(void *context)
{
    return spawn_timed(context, ROUND_SPAWNS);
}

double floor_spawn_once(void *context)
{
    return spawn_timed(context, 1);
}
