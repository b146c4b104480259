/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/worker_pid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cell/station_internal.h"

/* The innermost of "NSpid: 4711 23": what the process calls itself. */
static int innermost_pid(int pid)
{
    char path[64];
    char line[256];
    int innermost = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, "NSpid:", 6) == 0) {
            const char *last = strrchr(line, '\t');
            innermost = last ? atoi(last + 1) : 0;
        }
    }
    if (status) {
        (void)fclose(status);
    }
    return innermost;
}

/*
 * The keeper's children carry the numbers of this process's namespace; one of them is the worker. It is
 * looked for once: until the station's verdict stands the number is the answer.
 */
int worker_pid(struct station *station)
{
    if (station->host_pid != 0) {
        return station->host_pid;
    }
    int keeper = station->keeper ? keeper_client_pid(station->keeper) : 0;
    if (keeper <= 0) {
        return 0;
    }
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", keeper, keeper);
    FILE *children = fopen(path, "re");
    int pid;
    int found = 0;
    while (children && found == 0 && fscanf(children, "%d", &pid) == 1) {
        found = innermost_pid(pid) == station_pid(station) ? pid : 0;
    }
    if (children) {
        (void)fclose(children);
    }
    station->host_pid = found;
    return found;
}
