/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define INFO_BYTES   512
#define STATUS_BYTES 4096
#define LIST_BYTES   4096

static int read_text(int directory, const char *path, char *text, size_t bytes)
{
    OWN_FD fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, bytes - 1);
    if (length < 0) {
        return -errno;
    }
    text[length] = '\0';
    return 0;
}

/* A pidfd says which number its process has in the /proc that is read. */
int process_number(int pidfd)
{
    char path[48];
    char info[INFO_BYTES];
    (void)snprintf(path, sizeof path, "/proc/thread-self/fdinfo/%d", pidfd);
    int r = read_text(AT_FDCWD, path, info, sizeof info);
    const char *line = r < 0 ? NULL : strstr(info, "\nPid:");
    long number = line ? strtol(line + strlen("\nPid:"), NULL, 10) : 0;
    return number > 0 ? (int)number : r < 0 ? r : -ESRCH;
}

int process_open_number(int number)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%d", number);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int process_open(int pidfd)
{
    int number = process_number(pidfd);
    return number < 0 ? number : process_open_number(number);
}

/* The last id of a thread's line NSpid is that in its own namespace, which is the keeper's. */
static bool read_thread(int process, const char *number, struct process_thread *thread)
{
    char path[64];
    char text[STATUS_BYTES];
    (void)snprintf(path, sizeof path, "task/%.16s/status", number);
    if (read_text(process, path, text, sizeof text) < 0) {
        return false;
    }
    char *line = strstr(text, "\nNSpid:");
    char *end = line ? strchr(line + 1, '\n') : NULL;
    if (!end || strncmp(text, "Name:\t", 6) != 0) {
        return false;
    }
    *end = '\0';
    thread->id = (pid_t)strtol(strrchr(line, '\t') + 1, NULL, 10);
    size_t length = strcspn(text + 6, "\n");
    length = length < sizeof thread->name ? length : sizeof thread->name - 1;
    memcpy(thread->name, text + 6, length);
    memset(thread->name + length, 0, sizeof thread->name - length);
    thread->number = (int)strtol(number, NULL, 10);
    return thread->id > 0;
}

/* As the kernel writes them, not as the C library does: that one would allocate. */
struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short bytes;
    unsigned char type;
    char name[];
};

int process_threads(int process, struct process_thread *ret_threads, uint32_t most)
{
    _Alignas(struct entry) char list[LIST_BYTES];
    OWN_FD folder = openat(process, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint32_t count = 0;
    for (;;) {
        long length = folder < 0 ? -1 : syscall(SYS_getdents64, folder, list, sizeof list);
        if (length <= 0) {
            return length < 0 ? -errno : (int)count;
        }
        for (long at = 0; at < length;) {
            const struct entry *entry = (const struct entry *)(const void *)(list + at);
            if (entry->name[0] != '.' && count < most &&
                read_thread(process, entry->name, &ret_threads[count])) {
                count++;
            }
            at += entry->bytes;
        }
    }
}

int process_thread_place(int process, int number, uint64_t *ret_stack, uint64_t *ret_place)
{
    char path[48];
    char text[256];
    (void)snprintf(path, sizeof path, "task/%d/syscall", number);
    int r = read_text(process, path, text, sizeof text);
    if (r < 0) {
        return r;
    }
    /* Number and six arguments, then these two; "running", or "-1" and these, is not a call. */
    char *place = strrchr(text, ' ');
    if (!place || place == text) {
        return -EBADMSG;
    }
    *place = '\0';
    char *stack = strrchr(text, ' ');
    if (!stack) {
        return -EBADMSG;
    }
    *ret_stack = strtoull(stack, NULL, 16);
    *ret_place = strtoull(place + 1, NULL, 16);
    return 0;
}

int process_resident(int pidfd, uint64_t *ret_bytes)
{
    char text[INFO_BYTES];
    OWN_FD process = process_open(pidfd);
    int r = process < 0 ? process : read_text(process, "statm", text, sizeof text);
    if (r < 0) {
        return r;
    }
    char *resident = strchr(text, ' ');
    if (!resident) {
        return -EBADMSG;
    }
    *ret_bytes = strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}
