/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/named.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/reach.h"

/* ---- Which system calls ------------------------------------------------------------------------ */

enum how {
    HOW_READS,
    HOW_CHANGES,
    HOW_CREATES,
    HOW_OPENS,  /* as creat does */
    HOW_FLAGS,  /* opens: an argument has the flags */
    HOW_STRUCT, /* opens: an argument points to struct open_how */
};

#define NO_FOLDER (-1)

/* Of calls with two names, that which the call would make. */
static const struct path_call {
    long number;
    int8_t folder; /* argument: descriptor; NO_FOLDER: the working directory */
    int8_t path;   /* argument */
    int8_t flags;  /* argument of HOW_FLAGS, HOW_STRUCT */
    uint8_t how;
} path_calls[] = {
    {SYS_openat, 0, 1, 2, HOW_FLAGS},          {SYS_openat2, 0, 1, 2, HOW_STRUCT},
    {SYS_execve, NO_FOLDER, 0, 0, HOW_READS},  {SYS_execveat, 0, 1, 0, HOW_READS},
    {SYS_fchmodat, 0, 1, 0, HOW_CHANGES},      {SYS_fchownat, 0, 1, 0, HOW_CHANGES},
    {SYS_utimensat, 0, 1, 0, HOW_CHANGES},     {SYS_mknodat, 0, 1, 0, HOW_CREATES},
    {SYS_mkdirat, 0, 1, 0, HOW_CREATES},       {SYS_unlinkat, 0, 1, 0, HOW_CHANGES},
    {SYS_renameat2, 2, 3, 0, HOW_CREATES},     {SYS_linkat, 2, 3, 0, HOW_CREATES},
    {SYS_symlinkat, 1, 2, 0, HOW_CREATES},     {SYS_chroot, NO_FOLDER, 0, 0, HOW_READS},
#ifdef SYS_renameat
    {SYS_renameat, 2, 3, 0, HOW_CREATES},
#endif
#ifdef SYS_open
    {SYS_open, NO_FOLDER, 0, 1, HOW_FLAGS},    {SYS_creat, NO_FOLDER, 0, 0, HOW_OPENS},
    {SYS_futimesat, 0, 1, 0, HOW_CHANGES},     {SYS_mknod, NO_FOLDER, 0, 0, HOW_CREATES},
    {SYS_mkdir, NO_FOLDER, 0, 0, HOW_CREATES}, {SYS_rename, NO_FOLDER, 1, 0, HOW_CREATES},
    {SYS_link, NO_FOLDER, 1, 0, HOW_CREATES},  {SYS_symlink, NO_FOLDER, 1, 0, HOW_CREATES},
#endif
};

/* Those that change what their first argument names, from the working directory on. */
static const long changing_calls[] = {
    SYS_truncate, SYS_setxattr, SYS_lsetxattr, SYS_removexattr, SYS_lremovexattr,
#ifdef SYS_open
    SYS_chmod,    SYS_chown,    SYS_lchown,    SYS_utime,       SYS_utimes,
    SYS_rmdir,    SYS_unlink,
#endif
};

static const struct path_call *find_call(uint32_t system_call)
{
    static const struct path_call changing = {.folder = NO_FOLDER, .path = 0, .how = HOW_CHANGES};
    for (size_t i = 0; i < sizeof changing_calls / sizeof changing_calls[0]; i++) {
        if (changing_calls[i] == (long)system_call) {
            return &changing;
        }
    }
    for (size_t i = 0; i < sizeof path_calls / sizeof path_calls[0]; i++) {
        if (path_calls[i].number == (long)system_call) {
            return &path_calls[i];
        }
    }
    return NULL;
}

bool named_takes(uint32_t system_call)
{
    return find_call(system_call) != NULL;
}

/* False: names are not what they look like (a descriptor is the root). */
static bool read_purpose(const struct path_call *call, const struct notice *notice,
                         struct named *named)
{
    struct open_how how = {0};
    if (call->how == HOW_FLAGS) {
        how.flags = (uint32_t)notice->arguments[call->flags];
    } else if (call->how == HOW_STRUCT) {
        (void)reach_bytes(notice->thread, notice->arguments[call->flags], &how, sizeof how);
    } else if (call->how == HOW_OPENS) {
        how.flags = O_CREAT | O_WRONLY | O_TRUNC;
    }
    named->opens = call->how >= HOW_OPENS;
    named->creates = call->how == HOW_CREATES || (how.flags & O_CREAT) != 0;
    named->writing = call->how == HOW_CHANGES || call->how == HOW_CREATES ||
                     (how.flags & O_ACCMODE) != O_RDONLY || (how.flags & O_TRUNC) != 0 ||
                     (how.flags & O_TMPFILE) == O_TMPFILE;
    if (how.flags & O_PATH) {
        named->writing = named->creates = false;
    }
    return (how.resolve & RESOLVE_IN_ROOT) == 0;
}

/* ---- Names ------------------------------------------------------------------------------------- */

/* Drop the last name of a tidy path of @length bytes; returns its new length. */
static size_t drop_name(const char *path, size_t length)
{
    while (length > 0 && path[length - 1] != '/') {
        length--;
    }
    return length > 0 ? length - 1 : 0;
}

/* Append the names of @names to a tidy path, whose root is "". False: too long. */
static bool append_names(char *path, size_t *length, const char *names)
{
    while (*names) {
        size_t bytes = strcspn(names, "/");
        if (bytes == 2 && memcmp(names, "..", 2) == 0) {
            *length = drop_name(path, *length);
        } else if (bytes > 0 && !(bytes == 1 && names[0] == '.')) {
            if (*length + bytes + 2 > PATH_MAX) {
                return false;
            }
            path[(*length)++] = '/';
            memcpy(path + *length, names, bytes);
            *length += bytes;
        }
        names += bytes;
        names += *names == '/';
    }
    return true;
}

bool named_tidy(char path[PATH_MAX], const char *base)
{
    char tidy[PATH_MAX];
    size_t length = 0;
    if ((path[0] != '/' && !append_names(tidy, &length, base)) ||
        !append_names(tidy, &length, path)) {
        return false;
    }
    if (length == 0) {
        tidy[length++] = '/';
    }
    memcpy(path, tidy, length);
    path[length] = '\0';
    return true;
}

/* Where a relative name begins: a link of the caller's folder in /proc. */
static bool read_base(int process, const struct path_call *call, const struct notice *notice,
                      char base[PATH_MAX])
{
    char link[24] = "cwd";
    int folder = call->folder == NO_FOLDER ? AT_FDCWD : (int)notice->arguments[call->folder];
    if (folder != AT_FDCWD) {
        (void)snprintf(link, sizeof link, "fd/%d", folder);
    }
    ssize_t length = process < 0 ? -1 : readlinkat(process, link, base, PATH_MAX - 1);
    if (length <= 0 || base[0] != '/') {
        return false;
    }
    base[length] = '\0';
    return true;
}

static bool read_name(int process, const struct path_call *call, const struct notice *notice,
                      char path[PATH_MAX])
{
    char base[PATH_MAX] = "/";
    ssize_t length = reach_text(notice->thread, notice->arguments[call->path], path, PATH_MAX);
    if (length <= 0 || (path[0] != '/' && !read_base(process, call, notice, base))) {
        return false;
    }
    return named_tidy(path, base);
}

/* ---- Links ------------------------------------------------------------------------------------- */

/* File systems whose disk is at hand, or that have none. */
static bool is_local(long type)
{
    static const uint32_t local[] = {
        EXT4_SUPER_MAGIC, BTRFS_SUPER_MAGIC,     XFS_SUPER_MAGIC, TMPFS_MAGIC, RAMFS_MAGIC,
        F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, SQUASHFS_MAGIC,  SYSFS_MAGIC,
    };
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        if ((uint32_t)type == local[i]) {
            return true;
        }
    }
    return false;
}

static int open_name(const char *path, uint64_t resolve)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = resolve};
    long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

/* The nearest folder above that the kernel knows at once tells whose server would be asked. */
static bool may_look(const char *path)
{
    char folder[PATH_MAX];
    size_t length = strlen(path);
    memcpy(folder, path, length + 1);
    while (length > 0) {
        length = drop_name(folder, length);
        folder[length] = '\0';
        OWN_FD fd = open_name(length > 0 ? folder : "/", RESOLVE_CACHED | RESOLVE_NO_MAGICLINKS);
        struct statfs info;
        if (fd >= 0) {
            return fstatfs(fd, &info) == 0 && is_local(info.f_type);
        }
        if (fd != -EAGAIN && fd != -ENOENT) {
            return false;
        }
    }
    return false;
}

/* Follow the links of @path, in place. 0, or a negative errno: it stays as it was. */
static int follow(char path[PATH_MAX])
{
    char link[48];
    char target[PATH_MAX];
    OWN_FD fd = open_name(path, RESOLVE_CACHED | RESOLVE_NO_MAGICLINKS);
    if (fd == -EAGAIN && may_look(path)) {
        fd = open_name(path, RESOLVE_NO_MAGICLINKS);
    }
    if (fd < 0) {
        return fd;
    }
    (void)snprintf(link, sizeof link, "/proc/thread-self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length <= 0 || target[0] != '/') {
        return -EAGAIN;
    }
    memcpy(path, target, (size_t)length);
    path[length] = '\0';
    return 0;
}

/* The folder is there, the file is not. */
static enum named_state follow_folder(char path[PATH_MAX])
{
    char folder[PATH_MAX];
    char name[NAME_MAX + 1];
    size_t length = drop_name(path, strlen(path));
    if (strlen(path + length + 1) > NAME_MAX) {
        return NAMED_MISSING;
    }
    (void)snprintf(name, sizeof name, "%.*s", NAME_MAX, path + length + 1);
    memcpy(folder, path, length);
    memcpy(folder + length, length > 0 ? "" : "/", length > 0 ? 1 : 2);
    int r = follow(folder);
    if (r < 0 || strlen(folder) + sizeof name > PATH_MAX) {
        return r == -ENOENT ? NAMED_MISSING : NAMED_UNSEEN;
    }
    /* @folder has no name in it that leads up. */
    length = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
    memcpy(path, folder, length);
    path[length] = '/';
    memcpy(path + length + 1, name, strlen(name) + 1);
    return NAMED_NEW;
}

/* The worker's /proc/self is not ours. */
static enum named_state find_file(char path[PATH_MAX])
{
    if (strncmp(path, "/proc/", sizeof "/proc/" - 1) == 0) {
        return NAMED_UNSEEN;
    }
    int r = follow(path);
    return r == 0 ? NAMED_THERE : r == -ENOENT ? follow_folder(path) : NAMED_UNSEEN;
}

void named_find(int process, const struct notice *notice, struct named *ret_named)
{
    const struct path_call *call = find_call(notice->system_call);
    ret_named->state = NAMED_UNKNOWN;
    ret_named->opens = ret_named->writing = ret_named->creates = false;
    if (!call) {
        return;
    }
    bool plain = read_purpose(call, notice, ret_named);
    if (plain && read_name(process, call, notice, ret_named->path)) {
        ret_named->state = find_file(ret_named->path);
    }
}
