/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u /* Linux 6.3 */
#endif

#define FIRST_FD 3 /* a host may have closed its standard descriptors: theirs are never ours */

/* programs.S */
extern const char programs_keeper[] __attribute__((visibility("hidden")));
extern const char programs_keeper_end[] __attribute__((visibility("hidden")));
extern const char programs_worker[] __attribute__((visibility("hidden")));
extern const char programs_worker_end[] __attribute__((visibility("hidden")));
extern const char programs_symbolize[] __attribute__((visibility("hidden")));
extern const char programs_symbolize_end[] __attribute__((visibility("hidden")));

static const struct {
    const char *name;
    const char *installed;
    const char *begin;
    const char *end;
} programs[PROGRAM_COUNT] = {
    [PROGRAM_KEEPER] = {"cordon-keeper", CORDON_LIBEXEC_DIR "/cordon-keeper", programs_keeper,
                        programs_keeper_end},
    [PROGRAM_WORKER] = {"cordon-worker", CORDON_LIBEXEC_DIR "/cordon-worker", programs_worker,
                        programs_worker_end},
    [PROGRAM_SYMBOLIZE] = {"cordon-symbolize", CORDON_LIBEXEC_DIR "/cordon-symbolize",
                           programs_symbolize, programs_symbolize_end},
};

static int above_standard(int *fd)
{
    if (*fd < 0 || *fd >= FIRST_FD) {
        return take_fd(fd);
    }
    OWN_FD low = take_fd(fd);
    int high = fcntl(low, F_DUPFD_CLOEXEC, FIRST_FD);
    return high < 0 ? -errno : high;
}

static int open_path(const char *path, struct message *why)
{
    OWN_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        return message_set(why, -error, "%s: %s", path, strerror(error));
    }
    return above_standard(&fd);
}

static int write_copy(int fd, enum program program)
{
    const char *at = programs[program].begin;
    while (at < programs[program].end) {
        ssize_t count = write(fd, at, (size_t)(programs[program].end - at));
        if (count < 0 && errno != EINTR) {
            return -errno;
        }
        at += count > 0 ? count : 0;
    }
    return 0;
}

/* Kernels before 6.3 do not know MFD_EXEC, later ones may insist on it. */
static int open_memory(enum program program)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    OWN_FD fd = memfd_create(programs[program].name, flags | MFD_EXEC);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create(programs[program].name, flags);
    }
    int r = fd < 0 ? -errno : write_copy(fd, program);
    if (r < 0) {
        return r;
    }
    int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (fcntl(fd, F_ADD_SEALS, seals) != 0) {
        return -errno;
    }
    return above_standard(&fd);
}

/* A file that nobody else can open, and whose name is gone before it is used. */
static int open_private_file(enum program program)
{
    char folder[] = "/tmp/cordon-XXXXXX";
    if (!mkdtemp(folder)) {
        return -errno;
    }
    char path[sizeof folder + sizeof "/program"];
    (void)snprintf(path, sizeof path, "%s/program", folder);
    int flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = -1;
    OWN_FD writing = open(path, O_WRONLY | flags, 0700);
    int r = writing < 0 ? -errno : write_copy(writing, program);
    fd_release(&writing); /* or its execution fails with ETXTBSY */
    if (r == 0) {
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? -errno : 0;
    }
    (void)unlink(path);
    (void)rmdir(folder);
    return r < 0 ? r : above_standard(&fd);
}

int program_open(enum program program, const char *path, struct message *why)
{
    if (path) {
        return open_path(path, why);
    }
    if (programs[program].begin == programs[program].end) {
        return open_path(programs[program].installed, why);
    }
    int fd = open_memory(program);
    /* EACCES: vm.memfd_noexec says that memory is never executed. */
    if (fd == -EACCES || fd == -EPERM) {
        fd = open_private_file(program);
    }
    if (fd < 0) {
        return message_set(why, fd, "the embedded %s cannot be unpacked: %s",
                           programs[program].name, strerror(-fd));
    }
    return fd;
}

int program_origin(enum program program, const char **ret_name, const char **ret_path,
                   size_t *ret_bytes)
{
    bool embedded = programs[program].begin != programs[program].end;
    *ret_name = programs[program].name;
    *ret_path = embedded ? "" : programs[program].installed;
    *ret_bytes = (size_t)(programs[program].end - programs[program].begin);
    return embedded || access(*ret_path, X_OK) == 0 ? 0 : -errno;
}
