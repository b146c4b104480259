/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/reporting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "report/card.h"
#include "report/directory.h"

#define PATH_BYTES 4096u
#define FIRST_FD   3 /* a host may have closed its standard descriptors: theirs are never ours */

/* ---- Where ------------------------------------------------------------------------------------- */

int reporting_path(const char *reports, char *ret_path, size_t size)
{
    const char *state = secure_getenv("XDG_STATE_HOME");
    const char *home = secure_getenv("HOME");
    int length;
    if (reports) {
        length = snprintf(ret_path, size, "%s", reports);
    } else if (state && state[0] == '/') {
        length = snprintf(ret_path, size, "%s/cordon/reports", state);
    } else if (home && home[0] == '/') {
        length = snprintf(ret_path, size, "%s/.local/state/cordon/reports", home);
    } else if (geteuid() == 0) {
        length = snprintf(ret_path, size, "/var/lib/cordon/reports");
    } else {
        return -ENOENT;
    }
    if (length < 0 || (size_t)length >= size) {
        return -ENAMETOOLONG;
    }
    return length > 0 ? 0 : -ENOENT;
}

/* Folders on the way as well, for this user alone. */
static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash) {
            *slash = '\0';
        }
        int r = mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -errno;
        if (!slash) {
            return r;
        }
        *slash = '/';
        if (r < 0 && r != -EACCES && r != -EROFS) {
            return r;
        }
    }
}

static int open_directory(const char *reports)
{
    char path[PATH_BYTES];
    int r = reporting_path(reports, path, sizeof path);
    r = r < 0 ? r : make_folders(path);
    if (r < 0) {
        return r;
    }
    OWN_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        return -errno;
    }
    int high = fd < FIRST_FD ? fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD) : take_fd(&fd);
    return high < 0 ? -errno : high;
}

/* ---- What -------------------------------------------------------------------------------------- */

static int make_card(struct reporting *reporting, const struct cordon_cell_options *options,
                     uint32_t isolation)
{
    char program[PATH_BYTES] = "";
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    struct card_wish wish = {
        .level = (uint32_t)options->level,
        .policy = (uint32_t)options->policy,
        .flags = options->report_bytes ? (uint32_t)CARD_SHOW_BYTES : 0u,
        .workers = options->workers,
        .isolation = isolation,
        .memory_bytes = options->memory_bytes,
        .deadline_ms = options->deadline_ms,
        .start_ms = options->start_ms,
        .call_bytes = options->call_bytes,
        .arena_bytes = options->arena_bytes,
        .reports_max = options->reports_max ? options->reports_max : LIMIT_REPORTS,
        .report_bytes_max =
            options->reports_bytes_max ? options->reports_bytes_max : LIMIT_REPORTS_BYTES,
        .library = options->library,
        .program = program,
    };
    return card_new(&wish, &reporting->card);
}

int reporting_open(struct reporting *reporting, const struct cordon_cell_options *options,
                   uint32_t isolation, struct message *why)
{
    *reporting = (struct reporting){.directory = -1};
    reporting->library = options->library;
    if (options->reports && options->reports[0] == '\0') {
        return 0;
    }
    int r = open_directory(options->reports);
    if (r < 0) {
        return options->reports ? message_set(why, r, "the directory for reports, %s: %s",
                                              options->reports, strerror(-r))
                                : 0;
    }
    reporting->directory = r;
    if (options->level != CORDON_LEVEL_PROCESS) {
        /* One more will come, perhaps, when the heap is damaged. */
        uint32_t files = options->reports_max ? options->reports_max : LIMIT_REPORTS;
        directory_prune(
            r, files - 1,
            options->reports_bytes_max ? options->reports_bytes_max : LIMIT_REPORTS_BYTES, 0);
        return 0;
    }
    r = make_card(reporting, options, isolation);
    return r < 0 ? message_set(why, r, "no memory for the cell's card: %s", strerror(-r)) : 0;
}

void reporting_close(struct reporting *reporting)
{
    if (reporting->directory > 0) {
        fd_release(&reporting->directory);
    }
    card_free(reporting->card);
    reporting->card = NULL;
}

void reporting_add_function(struct reporting *reporting, uint32_t id, const void *plan,
                            size_t bytes)
{
    if (reporting->card) {
        (void)card_add_function(reporting->card, id, plan, bytes);
    }
}

/* @text as it can stand between quotes. */
static void quotable(const char *text, char *clean, size_t size)
{
    size_t i = 0;
    for (; i + 1 < size && text[i]; i++) {
        unsigned char byte = (unsigned char)text[i];
        clean[i] = byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\' ? '?' : text[i];
    }
    clean[i] = '\0';
}

static int fault_json(const struct reporting *reporting, const struct reporting_fault *fault,
                      uint64_t id, char *json, size_t size)
{
    char library[512];
    char text[256];
    char when[32] = "";
    struct timespec now;
    struct tm parts;
    const char *name = sigabbrev_np(fault->signal);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &parts)) {
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    quotable(reporting->library, library, sizeof library);
    quotable(fault->text, text, sizeof text);
    return snprintf(
        json, size,
        "{\"cordon_report\": 1, \"id\": \"%016" PRIx64 "\", \"when\": \"%s\", \"when_ns\": %" PRIu64
        ", \"what\": \"crash\", \"ended\": false, \"summary\": \"SIG%s in %s, in the host's "
        "process\", "
        "\"text\": \"%s\", \"cell\": {\"library\": \"%s\", \"level\": \"%s\", \"host\": {\"pid\": "
        "%d}}, "
        "\"call\": {\"function\": \"%s\"}, \"signal\": {\"name\": \"SIG%s\", \"number\": %d}, "
        "\"notes\": [\"levels thread and inline: arguments, registers and stacks are not "
        "taken\"]}\n",
        id, when, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, name ? name : "?",
        fault->function, text, library, fault->level == CORDON_LEVEL_THREAD ? "thread" : "inline",
        (int)getpid(), fault->function, name ? name : "?", fault->signal);
}

uint64_t reporting_write_fault(const struct reporting *reporting,
                               const struct reporting_fault *fault)
{
    char json[4096];
    char temporary[DIRECTORY_NAME_BYTES];
    char name[DIRECTORY_NAME_BYTES];
    if (reporting->directory <= 0) {
        return 0;
    }
    uint64_t id = reporting_new_id();
    int length = fault_json(reporting, fault, id, json, sizeof json);
    (void)snprintf(temporary, sizeof temporary, ".%016" PRIx64 ".tmp", id);
    OWN_FD file = openat(reporting->directory, temporary,
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0 || length < 0 || (size_t)length >= sizeof json) {
        return 0;
    }
    if (write(file, json, (size_t)length) != length ||
        renameat(reporting->directory, temporary, reporting->directory,
                 directory_name(id, 0, name)) != 0) {
        (void)unlinkat(reporting->directory, temporary, 0);
        return 0;
    }
    return id;
}

uint64_t reporting_new_id(void)
{
    struct timespec now;
    uint32_t chance = 0;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != (ssize_t)sizeof chance) {
        chance = (uint32_t)now.tv_nsec * 2654435761u;
    }
    /* Seconds, then a fraction of 1/4096: as fine as people can tell apart; then chance. */
    uint64_t fraction = (uint64_t)now.tv_nsec * 4096u / 1000000000u;
    return (uint64_t)now.tv_sec << 32 | fraction << 20 | (chance & 0xfffffu) | 1u;
}
