/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_NS (20 * CLOCK_SECOND_NS)
#define LOOK_NS     (2 * CLOCK_MS_NS)
#define STOP_LOOKS  2500u /* 5 s, then it is killed */

/* In the child. */
static _Noreturn void become(const char *const *argv, const char *log, pid_t parent, int input,
                             int output)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int complaints = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || null < 0 || complaints < 0 ||
        dup2(input >= 0 ? input : null, STDIN_FILENO) < 0 ||
        dup2(output >= 0 ? output : null, STDOUT_FILENO) < 0 ||
        dup2(complaints, STDERR_FILENO) < 0) {
        _exit(127);
    }
    (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void close_two(const int *ends)
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int child_open(struct bench_child *child, const char *const *argv, const char *log, int talks)
{
    int input[2] = {-1, -1};
    int output[2] = {-1, -1};
    pid_t parent = getpid();
    *child = (struct bench_child){0};
    (void)snprintf(child->log, sizeof child->log, "%s", log);
    if (talks && (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0)) {
        return -errno;
    }
    pid_t pid = fork();
    if (pid == 0) {
        become(argv, log, parent, input[0], output[1]);
    }
    if (pid < 0) {
        int error = errno;
        if (talks) {
            close_two(input);
            close_two(output);
        }
        return -error;
    }
    child->pid = pid;
    if (talks) {
        (void)close(input[0]);
        (void)close(output[1]);
        child->to = fdopen(input[1], "w");
        child->from = fdopen(output[0], "r");
    }
    return !talks || (child->to && child->from) ? 0 : -ENOMEM;
}

int child_await_file(struct bench_child *child, const char *path)
{
    uint64_t until_ns = clock_after_ns(PATIENCE_NS);
    while (access(path, F_OK) != 0) {
        if (waitpid(child->pid, NULL, WNOHANG) == child->pid) {
            child->pid = 0;
            return -ECHILD;
        }
        if (clock_now_ns() > until_ns) {
            return -ETIMEDOUT;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return 0;
}

void child_complaint(const struct bench_child *child, char *text, size_t text_bytes)
{
    FILE *log = fopen(child->log, "re");
    text[0] = '\0';
    if (!log || !fgets(text, (int)text_bytes, log)) {
        (void)snprintf(text, text_bytes, "it said nothing");
    }
    text[strcspn(text, "\n")] = '\0';
    if (log) {
        (void)fclose(log);
    }
}

void child_close(struct bench_child *child)
{
    if (child->to) {
        (void)fclose(child->to);
    }
    if (child->from) {
        (void)fclose(child->from);
    }
    if (child->pid > 0) {
        (void)kill(child->pid, SIGTERM);
        for (uint32_t look = 0; waitpid(child->pid, NULL, WNOHANG) == 0; look++) {
            if (look == STOP_LOOKS) {
                (void)kill(child->pid, SIGKILL);
            }
            (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
        }
    }
    *child = (struct bench_child){0};
}

int child_pin(const struct bench_child *child, int cpu)
{
    char path[64];
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)child->pid);
    DIR *tasks = opendir(path);
    if (!tasks) {
        return -errno;
    }
    int r = 0;
    for (struct dirent *entry; (entry = readdir(tasks)) && r == 0;) {
        int task = atoi(entry->d_name);
        r = task > 0 && sched_setaffinity(task, sizeof only, &only) < 0 ? -errno : 0;
    }
    (void)closedir(tasks);
    return r;
}
