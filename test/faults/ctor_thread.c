/* SPDX-License-Identifier: Apache-2.0 */
#include "acts.h"
#include "faults.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_t thread;
static atomic_int number; /* of the call, once there is one */
static atomic_int managed;

static int open_for_writing(void)
{
    char path[ACT_PATH_BYTES];
    act_path(path, number, "written");
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int make_process(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return pid;
}

/* A thread that exists before the last part of the sandbox, and acts when all is set up. */
static void *act_late(void *context)
{
    while (number == 0) {
        (void)usleep(1000);
    }
    managed += open_for_writing() >= 0;
    managed += socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
    managed += make_process() > 0;
    managed += getppid() > 0 && kill(getppid(), 0) == 0;
    return context;
}

static __attribute__((constructor)) void construct(void)
{
    (void)pthread_create(&thread, NULL, act_late, NULL);
}

FAULT_EXPORT int fault_ctor_thread(int value);

int fault_ctor_thread(int value)
{
    number = value;
    (void)pthread_join(thread, NULL);
    return managed;
}
