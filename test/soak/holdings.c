/* SPDX-License-Identifier: Apache-2.0 */
#include "holdings.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness/harness.h"

#define MEMORY_KIB_MAX 2048 /* what may be more at the end: 2 MiB */
#define MAPPINGS_MAX   8    /* an allocator's pieces, which come and go */

static size_t count_fds(int pid, const char *target_has)
{
    char path[300];
    char target[128];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *fds = opendir(path);
    for (struct dirent *entry; fds && (entry = readdir(fds));) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%s", pid, entry->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        count += !target_has || strstr(target, target_has) != NULL;
    }
    if (fds) {
        (void)closedir(fds);
    }
    return count;
}

static void count_mappings(int pid, struct process_holdings *holdings)
{
    char path[64];
    char line[4352];
    (void)snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    while (maps && fgets(line, sizeof line, maps)) {
        holdings->mappings++;
        holdings->shared += strstr(line, "memfd:cordon-") != NULL;
    }
    if (maps) {
        (void)fclose(maps);
    }
}

static void take_process(int pid, struct process_holdings *ret_holdings)
{
    char path[64];
    char line[256];
    memset(ret_holdings, 0, sizeof *ret_holdings);
    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status)) {
        (void)sscanf(line, "VmRSS: %ld", &ret_holdings->resident_kib);
        (void)sscanf(line, "Threads: %zu", &ret_holdings->threads);
    }
    if (status) {
        (void)fclose(status);
    }
    count_mappings(pid, ret_holdings);
    ret_holdings->fds = count_fds(pid, NULL);
    ret_holdings->pidfds = count_fds(pid, "[pidfd]");
}

void holdings_take(struct holdings *ret_holdings)
{
    int keeper = 0;
    memset(ret_holdings, 0, sizeof *ret_holdings);
    ret_holdings->workers = harness_descendants(getpid(), "cordon-worker", NULL, 0);
    ret_holdings->keepers = harness_descendants(getpid(), "cordon-keeper", &keeper, 1);
    take_process(getpid(), &ret_holdings->host);
    take_process(keeper, &ret_holdings->keeper);
}

static bool within(const char *who, const char *what, size_t before, size_t now, size_t more,
                   bool tell)
{
    if (now <= before + more) {
        return true;
    }
    if (tell) {
        printf("%s: %s: %zu where %zu were\n", who, what, now, before);
    }
    return false;
}

static bool process_is_back(const char *who, const struct process_holdings *before,
                            const struct process_holdings *now, bool tell)
{
    bool back = within(who, "resident KiB", (size_t)before->resident_kib, (size_t)now->resident_kib,
                       MEMORY_KIB_MAX, tell);
    back &= within(who, "mappings", before->mappings, now->mappings, MAPPINGS_MAX, tell);
    back &= within(who, "shared memories", before->shared, now->shared, 0, tell);
    back &= within(who, "descriptors", before->fds, now->fds, 0, tell);
    back &= within(who, "pidfds", before->pidfds, now->pidfds, 0, tell);
    back &= within(who, "threads", before->threads, now->threads, 0, tell);
    return back;
}

bool holdings_are_back(const struct holdings *before, const struct holdings *now, bool tell)
{
    bool back = process_is_back("host", &before->host, &now->host, tell);
    back &= process_is_back("keeper", &before->keeper, &now->keeper, tell);
    back &= within("all", "keepers", before->keepers, now->keepers, 0, tell);
    back &= within("all", "workers", before->workers, now->workers, 0, tell);
    return back;
}

static void print_process(const char *who, const struct process_holdings *holdings)
{
    printf("  %-6s %7ld KiB, %zu mappings, %zu shared, %zu fds, %zu pidfds, %zu threads\n", who,
           holdings->resident_kib, holdings->mappings, holdings->shared, holdings->fds,
           holdings->pidfds, holdings->threads);
}

void holdings_print(const char *when, const struct holdings *holdings)
{
    printf("%s: %zu workers\n", when, holdings->workers);
    print_process("host", &holdings->host);
    print_process("keeper", &holdings->keeper);
}
