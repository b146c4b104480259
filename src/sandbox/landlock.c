/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* Newer than the headers that may be installed. */
#define ACCESS_FS_TRUNCATE      (1ull << 14) /* version 3 */
#define ACCESS_FS_IOCTL_DEV     (1ull << 15) /* version 5 */
#define ACCESS_NET_TCP          (3ull)       /* version 4: bind, connect */
#define SCOPE_SOCKETS_SIGNALS   (3ull)       /* version 6 */
#define ACCESS_FS_READ          (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_FS_LOAD          (ACCESS_FS_READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define ACCESS_FS_FIRST_VERSION ((1ull << 13) - 1)

struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

struct allowance {
    const char *path;
    uint64_t access;
};

/* What loading and running an ordinary library reads. */
static const struct allowance allowances[] = {
    {"/usr", ACCESS_FS_LOAD},
    {"/lib", ACCESS_FS_LOAD},
    {"/lib64", ACCESS_FS_LOAD},
    {"/etc", ACCESS_FS_READ},
    {"/proc/self", ACCESS_FS_READ},
    {"/proc/cpuinfo", ACCESS_FS_READ},
    {"/proc/meminfo", ACCESS_FS_READ},
    {"/proc/stat", ACCESS_FS_READ},
    {"/sys/devices/system/cpu", ACCESS_FS_READ},
    {"/dev/null", ACCESS_FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_FS_TRUNCATE},
    {"/dev/zero", ACCESS_FS_READ},
    {"/dev/urandom", ACCESS_FS_READ},
    {"/dev/random", ACCESS_FS_READ},
};

int landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? 0 : (int)version;
}

static struct ruleset ruleset_of(int version, const struct landlock_wish *wish)
{
    struct ruleset ruleset = {.files = wish->all_files ? 0 : ACCESS_FS_FIRST_VERSION};
    if (!wish->all_files && version >= 2) {
        ruleset.files |= LANDLOCK_ACCESS_FS_REFER;
    }
    if (!wish->all_files && version >= 3) {
        ruleset.files |= ACCESS_FS_TRUNCATE;
    }
    if (!wish->all_files && version >= 5) {
        ruleset.files |= ACCESS_FS_IOCTL_DEV;
    }
    if (!wish->network && version >= 4) {
        ruleset.network = ACCESS_NET_TCP;
    }
    if (version >= 6) {
        ruleset.scoped = SCOPE_SOCKETS_SIGNALS;
    }
    return ruleset;
}

/* A path that is not there, or cannot be reached, needs no allowance. */
static int allow(int ruleset_fd, uint64_t handled, const char *path, uint64_t access)
{
    OWN_FD fd = open(path, O_PATH | O_CLOEXEC);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) != 0) {
        return 0;
    }
    if (!S_ISDIR(stat.st_mode)) {
        access &= ~(uint64_t)LANDLOCK_ACCESS_FS_READ_DIR;
    }
    struct landlock_path_beneath_attr rule = {.allowed_access = access & handled, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0
               ? 0
               : -errno;
}

/* The folder of a library given by its path; never the root folder, which would be everything. */
static int allow_library(int ruleset_fd, uint64_t handled, const char *library)
{
    char folder[PATH_MAX];
    const char *slash = library ? strrchr(library, '/') : NULL;
    if (!slash || slash == library || (size_t)(slash - library) >= sizeof folder) {
        return 0;
    }
    memcpy(folder, library, (size_t)(slash - library));
    folder[slash - library] = '\0';
    return allow(ruleset_fd, handled, folder, ACCESS_FS_LOAD);
}

static int allow_working_directory(int ruleset_fd, uint64_t handled)
{
    char path[PATH_MAX];
    if (!getcwd(path, sizeof path) || strcmp(path, "/") == 0) {
        return 0;
    }
    return allow(ruleset_fd, handled, path, ACCESS_FS_LOAD);
}

static int allow_what_libraries_read(int ruleset_fd, uint64_t handled, const char *library)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof allowances / sizeof allowances[0]; i++) {
        r = allow(ruleset_fd, handled, allowances[i].path, allowances[i].access);
    }
    r = r < 0 ? r : allow_library(ruleset_fd, handled, library);
    return r < 0 ? r : allow_working_directory(ruleset_fd, handled);
}

int landlock_apply(const struct landlock_wish *wish)
{
    struct ruleset ruleset = ruleset_of(landlock_version(), wish);
    if ((ruleset.files | ruleset.network | ruleset.scoped) == 0) {
        return 0;
    }
    /* An older kernel takes a shorter structure, and the longer one when what it adds is zero. */
    OWN_FD fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
    if (fd < 0) {
        return -errno;
    }
    int r = ruleset.files ? allow_what_libraries_read(fd, ruleset.files, wish->library) : 0;
    if (r < 0) {
        return r;
    }
    return syscall(SYS_landlock_restrict_self, fd, 0) == 0 ? 0 : -errno;
}
