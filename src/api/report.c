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
#include "cell/cell.h"
#include "cell/session.h"
#include "report/directory.h"
#include "report/headline.h"

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

/* Those in @directory that are @reporting's own; NULL: all. */
static int list(int directory, const struct reporting *reporting,
                struct cordon_report_entry *ret_entries, size_t most)
{
    struct directory_entry *entries = calloc(DIRECTORY_FILES_MAX, sizeof *entries);
    size_t found = 0;
    if (!entries) {
        return -ENOMEM;
    }
    int count = directory_list(directory, entries, DIRECTORY_FILES_MAX, false);
    /* From the newest on, which then moves up. */
    for (int i = count; i-- > 0 && found < most;) {
        if (!reporting || reporting_is_own(reporting, entries[i].id)) {
            ret_entries[most - ++found] = (struct cordon_report_entry){
                .id = entries[i].id, .part = entries[i].part, .bytes = entries[i].bytes};
        }
    }
    memmove(ret_entries, ret_entries + (most - found), found * sizeof *ret_entries);
    free(entries);
    return count < 0 ? count : (int)found;
}

int cordon_report_list(const char *directory, struct cordon_report_entry *ret_entries, size_t most)
{
    OWN_FD fd = open_directory(directory);
    return fd < 0 ? fd : list(fd, NULL, ret_entries, most);
}

int cordon_cell_reports(const struct cordon_cell *cell, struct cordon_report_entry *ret_entries,
                        size_t most)
{
    return cell->reporting.directory <= 0
               ? -ENOENT
               : list(cell->reporting.directory, &cell->reporting, ret_entries, most);
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

static int open_report(const char *directory, uint64_t id, uint32_t part,
                       struct cordon_error *ret_error)
{
    char name[DIRECTORY_NAME_BYTES];
    OWN_FD folder = open_directory(directory);
    if (folder < 0) {
        return message_set(text_of(ret_error), folder, "the directory for reports: %s",
                           strerror(-folder));
    }
    (void)directory_name(id, part, name);
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd < 0 ? message_set(text_of(ret_error), -errno, "report %s: %s", name, strerror(errno))
                  : fd;
}

static enum cordon_report_kind kind_of(const char *what)
{
    static const char *const names[] = {"",       "crash",           "hang",
                                        "exit",   "violation",       "recycled",
                                        "killed", "broken-protocol", "start-failed"};
    for (size_t i = 1; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(what, names[i]) == 0) {
            return (enum cordon_report_kind)i;
        }
    }
    return CORDON_REPORT_OTHER;
}

int cordon_report_load(const char *directory, uint64_t id, uint32_t part,
                       struct cordon_report *ret_report, struct cordon_error *ret_error)
{
    struct stat info = {0};
    struct headline headline;
    OWN_FD fd = open_report(directory, id, part, ret_error);
    if (fd < 0) {
        return fd;
    }
    char *text = malloc(HEADLINE_BYTES);
    ssize_t bytes = text && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)
                        ? pread(fd, text, HEADLINE_BYTES, 0)
                        : -1;
    int r = bytes >= 0 ? headline_read(text, (size_t)bytes, &headline) : text ? -EBADMSG : -ENOMEM;
    free(text);
    if (r < 0) {
        return message_set(text_of(ret_error), r, "report %016llx: %s", (unsigned long long)id,
                           strerror(-r));
    }
    *ret_report = (struct cordon_report){.id = id,
                                         .part = part,
                                         .kind = kind_of(headline.what),
                                         .ended = headline.ended,
                                         .when_ns = headline.when_ns,
                                         .bytes = (uint64_t)info.st_size};
    memcpy(ret_report->what, headline.what, sizeof ret_report->what);
    memcpy(ret_report->library, headline.library, sizeof ret_report->library);
    memcpy(ret_report->function, headline.function, sizeof ret_report->function);
    memcpy(ret_report->summary, headline.summary, sizeof ret_report->summary);
    return 0;
}

int cordon_report_read(const char *directory, uint64_t id, uint32_t part, char **ret_json,
                       struct cordon_error *ret_error)
{
    OWN_FD fd = open_report(directory, id, part, ret_error);
    int r = fd < 0 ? fd : read_file(fd, ret_json);
    return fd >= 0 && r < 0 ? message_set(text_of(ret_error), r, "report %016llx: %s",
                                          (unsigned long long)id, strerror(-r))
                            : r;
}
