/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/traces.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static size_t count_entries(const char *folder)
{
    DIR *entries = opendir(folder);
    size_t count = 0;
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        count += entry->d_name[0] != '.';
    }
    if (entries) {
        closedir(entries);
    }
    return count;
}

static void take_fds(unsigned char *open_fds)
{
    memset(open_fds, 0, TRACES_FDS);
    DIR *entries = opendir("/proc/self/fd");
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != dirfd(entries) && fd < TRACES_FDS) {
            open_fds[fd] = 1;
        }
    }
    if (entries) {
        closedir(entries);
    }
}

static size_t count_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    size_t count = 0;
    char line[4352];
    while (maps && fgets(line, sizeof line, maps)) {
        count += strstr(line, "memfd:cordon") != NULL;
    }
    if (maps) {
        fclose(maps);
    }
    return count;
}

void traces_take(struct traces *ret_traces)
{
    memset(ret_traces, 0, sizeof *ret_traces);
    take_fds(ret_traces->open_fds);
    ret_traces->threads = count_entries("/proc/self/task");
    ret_traces->mappings = count_mappings();
    for (int number = 1; number < _NSIG; number++) {
        (void)sigaction(number, NULL, &ret_traces->actions[number]);
    }
    (void)sigprocmask(SIG_SETMASK, NULL, &ret_traces->blocked);
}

static bool more_fds(const struct traces *before, const struct traces *now)
{
    for (int fd = 0; fd < TRACES_FDS; fd++) {
        if (now->open_fds[fd] && !before->open_fds[fd]) {
            return true;
        }
    }
    return false;
}

static void print_fds(const struct traces *before, const struct traces *now)
{
    for (int fd = 0; fd < TRACES_FDS; fd++) {
        if (now->open_fds[fd] != before->open_fds[fd]) {
            char path[64];
            char target[256] = "?";
            snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
            ssize_t length = readlink(path, target, sizeof target - 1);
            target[length < 0 ? 0 : length] = '\0';
            printf("left behind: fd %d %s %s\n", fd, now->open_fds[fd] ? "is open:" : "was closed",
                   target);
        }
    }
}

static bool same_action(const struct sigaction *a, const struct sigaction *b)
{
    const int restorer = 0x04000000; /* glibc adds it to every action that it sets */
    return a->sa_handler == b->sa_handler && ((a->sa_flags ^ b->sa_flags) & ~restorer) == 0;
}

static bool actions_kept(const struct traces *before, const struct traces *now)
{
    bool kept = memcmp(&before->blocked, &now->blocked, sizeof now->blocked) == 0;
    if (!kept) {
        printf("left behind: another signal mask\n");
    }
    for (int number = 1; number < _NSIG; number++) {
        if (!same_action(&before->actions[number], &now->actions[number])) {
            printf("left behind: another action for signal %d\n", number);
            kept = false;
        }
    }
    return kept;
}

/* A child of ours that Cordon or the case left: there must be none at all. */
static bool no_child(void)
{
    siginfo_t child = {0};
    if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT | __WALL) == -1 && errno == ECHILD) {
        return true;
    }
    printf("left behind: a child of this process (%d)\n", child.si_pid);
    return false;
}

static bool settled(const struct traces *before, const struct traces *now)
{
    return !more_fds(before, now) && now->threads <= before->threads &&
           now->mappings <= before->mappings;
}

bool traces_compare(const struct traces *before, unsigned overlook)
{
    struct traces now;
    traces_take(&now);
    for (int tries = 0; tries < 200 && !overlook && !settled(before, &now); tries++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        traces_take(&now);
    }
    bool clean = true;
    if (!(overlook & TRACES_DESCRIPTORS) &&
        memcmp(before->open_fds, now.open_fds, sizeof now.open_fds) != 0) {
        print_fds(before, &now);
        clean = false;
    }
    if (!(overlook & TRACES_THREADS) && now.threads != before->threads) {
        printf("left behind: %zu threads where %zu were\n", now.threads, before->threads);
        clean = false;
    }
    if (!(overlook & TRACES_MEMORY) && now.mappings > before->mappings) {
        printf("left behind: %zu shared mappings where %zu were\n", now.mappings, before->mappings);
        clean = false;
    }
    if (!(overlook & TRACES_ACTIONS) && !actions_kept(before, &now)) {
        clean = false;
    }
    return no_child() && clean;
}
