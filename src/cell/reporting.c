/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/reporting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "policy/policy.h"
#include "report/card.h"
#include "report/directory.h"

#define PATH_BYTES 4096u
#define FIRST_FD   3 /* a host may have closed its standard descriptors: theirs are never ours */

struct reporting_ids {
    _Atomic uint32_t count; /* ever */
    _Atomic uint64_t id[REPORTING_IDS];
};

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
                     uint32_t isolation, const struct policy *policy)
{
    char policy_text[CARD_TEXT_BYTES];
    char program[PATH_BYTES] = "";
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    (void)policy_print(policy, policy_text, sizeof policy_text);
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
        .policy_text = policy_text,
    };
    return card_new(&wish, &reporting->card);
}

int reporting_open(struct reporting *reporting, const struct cordon_cell_options *options,
                   uint32_t isolation, const struct policy *policy, struct message *why)
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
        /* One more will come, perhaps, when nothing is left to prune it. */
        uint32_t files = options->reports_max ? options->reports_max : LIMIT_REPORTS;
        directory_prune(
            r, files - 1,
            options->reports_bytes_max ? options->reports_bytes_max : LIMIT_REPORTS_BYTES, 0);
    }
    reporting->ids = calloc(1, sizeof *reporting->ids);
    r = reporting->ids ? make_card(reporting, options, isolation, policy) : -ENOMEM;
    return r < 0 ? message_set(why, r, "no memory for the cell's card: %s", strerror(-r)) : 0;
}

void reporting_close(struct reporting *reporting)
{
    if (reporting->directory > 0) {
        fd_release(&reporting->directory);
    }
    card_free(reporting->card);
    reporting->card = NULL;
    free(reporting->ids);
    reporting->ids = NULL;
}

void reporting_add_function(struct reporting *reporting, uint32_t id, const void *plan,
                            size_t bytes)
{
    if (reporting->card) {
        (void)card_add_function(reporting->card, id, plan, bytes);
    }
}

uint64_t reporting_new_id(const struct reporting *reporting)
{
    struct timespec now;
    uint32_t chance = 0;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != (ssize_t)sizeof chance) {
        chance = (uint32_t)now.tv_nsec * 2654435761u;
    }
    /* Seconds, then a fraction of 1/4096: as fine as people can tell apart; then chance. */
    uint64_t fraction = (uint64_t)now.tv_nsec * 4096u / 1000000000u;
    uint64_t id = (uint64_t)now.tv_sec << 32 | fraction << 20 | (chance & 0xfffffu) | 1u;
    struct reporting_ids *ids = reporting->ids;
    if (ids) {
        /* Relaxed, both: numbers of their own. */
        uint32_t at = atomic_fetch_add_explicit(&ids->count, 1, memory_order_relaxed);
        atomic_store_explicit(&ids->id[at % REPORTING_IDS], id, memory_order_relaxed);
    }
    return id;
}

bool reporting_is_own(const struct reporting *reporting, uint64_t id)
{
    uint32_t i = reporting->ids ? 0 : REPORTING_IDS;
    while (i < REPORTING_IDS &&
           atomic_load_explicit(&reporting->ids->id[i], memory_order_relaxed) != id) {
        i++;
    }
    return i < REPORTING_IDS;
}
