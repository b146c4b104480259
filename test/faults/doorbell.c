/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 2

static int find_event(void)
{
    for (int fd = 0; fd < 64; fd++) {
        char path[64];
        char target[64] = "";
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target - 1) > 0 && strstr(target, "[eventfd]")) {
            return fd;
        }
    }
    return -1;
}

/* Whoever writes to it next is to sleep: full, and without O_NONBLOCK. */
static void *fill(void *context)
{
    const int *fd = context;
    const uint64_t brim = UINT64_MAX - 1;
    time_t end = time(NULL) + SECONDS;
    while (time(NULL) <= end) {
        uint64_t rings;
        (void)fcntl(*fd, F_SETFL, O_NONBLOCK);
        (void)!read(*fd, &rings, sizeof rings);
        (void)!write(*fd, &brim, sizeof brim);
        (void)fcntl(*fd, F_SETFL, 0);
    }
    return NULL;
}

int fault_doorbell(int value)
{
    static int fd;
    pthread_t thread;
    (void)value;
    fd = find_event();
    return fd < 0 || pthread_create(&thread, NULL, fill, &fd) != 0 ? -1 : 0;
}
