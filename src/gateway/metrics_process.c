/* SPDX-License-Identifier: Apache-2.0 */
/* Under the names, and with the meaning, that Prometheus' own client libraries give them. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "gateway/exposition.h"
#include "gateway/metrics.h"

static void write_memory(struct exposition *x)
{
    unsigned long long pages;
    unsigned long long resident;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) {
        return;
    }
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (fscanf(file, "%llu %llu", &pages, &resident) == 2) {
        exposition_family(x, EXPOSITION_GAUGE, "process_virtual_memory_bytes",
                          "Virtual memory of the daemon's own process.");
        exposition_sample(x, NULL, pages * page);
        exposition_family(x, EXPOSITION_GAUGE, "process_resident_memory_bytes",
                          "Resident memory of the daemon's own process.");
        exposition_sample(x, NULL, resident * page);
    }
    (void)fclose(file);
}

/* Time since boot, in ticks: field 22 of stat; the name before it, in parentheses, is our own. */
static void write_start(struct exposition *x)
{
    unsigned long long ticks = 0;
    struct timespec now;
    struct timespec since_boot;
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file) {
        return;
    }
    int got = fscanf(file,
                     "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                     "%*d %*d %*d %*d %llu",
                     &ticks);
    (void)fclose(file);
    if (got != 1 || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0) {
        return;
    }
    double boot =
        (double)(now.tv_sec - since_boot.tv_sec) + (double)(now.tv_nsec - since_boot.tv_nsec) / 1e9;
    exposition_family(x, EXPOSITION_GAUGE, "process_start_time_seconds",
                      "When the daemon was started, since 1970.");
    exposition_sample_real(x, NULL, boot + (double)ticks / (double)sysconf(_SC_CLK_TCK));
}

static void write_descriptors(struct exposition *x)
{
    struct rlimit limit;
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder) {
        while (readdir(folder)) {
            count++;
        }
        (void)closedir(folder);
        exposition_family(x, EXPOSITION_GAUGE, "process_open_fds", "Open file descriptors.");
        exposition_sample(x, NULL, count > 3 ? count - 3 : 0); /* ".", "..", and the folder's */
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        exposition_family(x, EXPOSITION_GAUGE, "process_max_fds",
                          "File descriptors that may be open.");
        exposition_sample(x, NULL, limit.rlim_cur);
    }
}

void metrics_write_process(struct exposition *x)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) {
        exposition_family(x, EXPOSITION_COUNTER, "process_cpu_seconds",
                          "Processor time of the daemon's own process.");
        exposition_sample_real(x, NULL, (double)used.tv_sec + (double)used.tv_nsec / 1e9);
    }
    write_memory(x);
    write_start(x);
    write_descriptors(x);
}
