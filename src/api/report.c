/* SPDX-License-Identifier: Apache-2.0 */
#include "cordon/report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/text.h"
#include "base/clock.h"
#include "base/fd.h"
#include "cell/reporting.h"
#include "cell/session.h"
#include "report/directory.h"

#define PATH_BYTES   4096u
#define REPORT_BYTES (64u << 20) /* of one file that is read */

uint64_t cordon_session_report(const struct cordon_session *session)
{
    /* Relaxed: a number of its own. */
    return atomic_load_explicit(&session->report, memory_order_relaxed);
}

static int open_directory(const char *directory)
{
    char path[PATH_BYTES];
    int r = reporting_path(directory, path, sizeof path);
    int fd = r < 0 ? r : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return r < 0 ? r : fd < 0 ? -errno : fd;
}

int cordon_report_list(const char *directory, struct cordon_report_entry *ret_entries, size_t most)
{
    OWN_FD fd = open_directory(directory);
    struct directory_entry *entries = calloc(DIRECTORY_FILES_MAX, sizeof *entries);
    if (fd < 0 || !entries) {
        free(entries);
        return fd < 0 ? fd : -ENOMEM;
    }
    uint32_t bound = most < DIRECTORY_FILES_MAX ? (uint32_t)most : DIRECTORY_FILES_MAX;
    int count = directory_list(fd, entries, bound, false);
    for (int i = 0; i < count; i++) {
        ret_entries[i] = (struct cordon_report_entry){
            .id = entries[i].id, .part = entries[i].part, .bytes = entries[i].bytes};
    }
    free(entries);
    return count;
}

int cordon_report_path(const char *directory, uint64_t id, uint32_t part, char *ret_path,
                       size_t size)
{
    char path[PATH_BYTES];
    char name[DIRECTORY_NAME_BYTES];
    int r = reporting_path(directory, path, sizeof path);
    if (r < 0) {
        return r;
    }
    int length = snprintf(ret_path, size, "%s/%s", path, directory_name(id, part, name));
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* Something changed in the directory, or the time is over. */
static int await_change(int watch, uint64_t deadline_ns)
{
    char events[4096];
    struct pollfd changed = {.fd = watch, .events = POLLIN};
    uint64_t now = clock_now_ns();
    if (now >= deadline_ns) {
        return -ETIMEDOUT;
    }
    struct timespec left = clock_timespec(deadline_ns - now);
    if (ppoll(&changed, 1, &left, NULL) > 0) {
        (void)!read(watch, events, sizeof events);
    }
    return 0;
}

int cordon_report_wait(const char *directory, uint64_t id, uint32_t part, uint64_t deadline_ns)
{
    char name[DIRECTORY_NAME_BYTES];
    char path[PATH_BYTES];
    OWN_FD fd = open_directory(directory);
    int r = fd < 0 ? fd : reporting_path(directory, path, sizeof path);
    OWN_FD watch = r < 0 ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (r < 0 || watch < 0) {
        return r < 0 ? r : -errno;
    }
    /* A report gets its name when it is complete. Watched first, looked at next: nothing is missed. */
    if (inotify_add_watch(watch, path, IN_MOVED_TO) < 0) {
        return -errno;
    }
    (void)directory_name(id, part, name);
    while (faccessat(fd, name, F_OK, 0) != 0) {
        r = await_change(watch, deadline_ns);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int read_file(int fd, char **ret_text)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return -errno;
    }
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > REPORT_BYTES) {
        return -EBADMSG;
    }
    size_t bytes = (size_t)info.st_size;
    char *text = malloc(bytes + 1);
    size_t at = 0;
    while (text && at < bytes) {
        ssize_t count = read(fd, text + at, bytes - at);
        if (count <= 0) {
            break;
        }
        at += (size_t)count;
    }
    if (!text) {
        return -ENOMEM;
    }
    text[at] = '\0';
    *ret_text = text;
    return 0;
}

int cordon_report_read(const char *directory, uint64_t id, uint32_t part, char **ret_json,
                       struct cordon_error *ret_error)
{
    char name[DIRECTORY_NAME_BYTES];
    OWN_FD folder = open_directory(directory);
    if (folder < 0) {
        return message_set(text_of(ret_error), folder, "the directory for reports: %s",
                           strerror(-folder));
    }
    (void)directory_name(id, part, name);
    OWN_FD fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int r = fd < 0 ? -errno : read_file(fd, ret_json);
    return r < 0 ? message_set(text_of(ret_error), r, "report %s: %s", name, strerror(-r)) : 0;
}
