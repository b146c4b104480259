/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memfd.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3 */
#endif

static int create(const char *name)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
    /* EINVAL: a kernel that does not know the flag. */
    return fd < 0 && errno == EINVAL ? memfd_create(name, flags) : fd;
}

int memfd_new(const char *name, uint64_t bytes, int seals, int *ret_fd)
{
    OWN_FD fd = create(name);
    if (fd < 0) {
        return -errno;
    }
    if (ftruncate(fd, (off_t)bytes) < 0) {
        return -errno;
    }
    int r = memfd_seal(fd, seals);
    if (r < 0) {
        return r;
    }
    *ret_fd = take_fd(&fd);
    return 0;
}

int memfd_seal(int fd, int seals)
{
    return fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

int memfd_judge(int fd, int seals, uint64_t *ret_bytes)
{
    int standing = fcntl(fd, F_GET_SEALS);
    struct stat status;
    struct statfs home;
    if (standing < 0 || (standing & seals) != seals || fstat(fd, &status) < 0 ||
        fstatfs(fd, &home) < 0) {
        return -EBADMSG;
    }
    /* A memory of huge pages bears seals as well, and touching it may raise SIGBUS: there may be no page. */
    if (home.f_type != TMPFS_MAGIC) {
        return -EBADMSG;
    }
    *ret_bytes = (uint64_t)status.st_size;
    return 0;
}
