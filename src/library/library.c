/* SPDX-License-Identifier: Apache-2.0 */
#include "library/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/lib-names.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "library/elf.h"
#include "library/near.h"

static bool is_path(const char *name)
{
    return strchr(name, '/') != NULL;
}

int library_prepare(struct library *library, const char *name, struct message *why)
{
    *library = (struct library){.name = name, .file = -1};
    if (!is_path(name)) {
        return 0;
    }
    /* Not blocking: a FIFO is no library, and must not hold us up. */
    OWN_FD fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int error = errno;
        return message_set(why, -error, "%s: cannot be opened: %s", name, strerror(error));
    }
    struct stat stat;
    if (fstat(fd, &stat) == 0 && !S_ISREG(stat.st_mode)) {
        return message_set(why, -ENOEXEC, "%s: not a regular file", name);
    }
    int r = elf_check(fd, name, why);
    if (r < 0) {
        return r;
    }
    library->file = take_fd(&fd);
    return 0;
}

/* A copy in memory, which whoever may not open the file can still load. */
static int copy_file(int file, struct message *why)
{
    OWN_FD copy = memfd_create("cordon-library", MFD_CLOEXEC);
    off_t at = 0;
    ssize_t count = copy < 0 ? -1 : 1;
    while (count > 0) {
        count = sendfile(copy, file, &at, 1u << 30);
    }
    if (count < 0) {
        int error = errno;
        return message_set(why, -error, "the library cannot be copied: %s", strerror(error));
    }
    return take_fd(&copy);
}

int library_settle(struct library *library, struct message *why)
{
    if (library->file < 0 || library->copied || access(library->name, R_OK) == 0) {
        return 0;
    }
    int copy = copy_file(library->file, why);
    if (copy < 0) {
        return copy;
    }
    fd_release(&library->file);
    library->file = copy;
    library->copied = true;
    return 0;
}

int library_open(struct library *library, struct message *why)
{
    const char *name = library->name[0] ? library->name : LIBC_SO;
    char path[32];
    int r = library_settle(library, why);
    if (r < 0) {
        return r;
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", library->file);
    library->handle = dlopen(library->copied ? path : name, RTLD_NOW | RTLD_LOCAL);
    if (!library->handle) {
        return library->copied ? message_set(why, -ENOEXEC, "%s: %s", library->name, dlerror())
                               : message_set(why, -ENOENT, "%s", dlerror());
    }
    return 0;
}

static bool is_allocator(const char *symbol)
{
    static const char *const names[] = {
        "free",          "malloc",         "calloc",   "realloc", "reallocarray",
        "aligned_alloc", "posix_memalign", "memalign", "valloc",  "pvalloc",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(symbol, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool in_libc(const void *address)
{
    Dl_info there;
    Dl_info libc;
    return dladdr(address, &there) != 0 && dladdr(gnu_get_libc_version(), &libc) != 0 &&
           there.dli_fbase == libc.dli_fbase;
}

/*
 * A program may bring another allocator (linked, preloaded, a sanitizer's): then the C library itself
 * takes memory from that one, in strdup() as anywhere, and dlsym() on a handle still finds libc's own
 * free(). What belongs to the C library's allocator is what references to it are bound to.
 */
void *library_find(const struct library *library, const char *symbol)
{
    void *found = library->handle ? dlsym(library->handle, symbol) : NULL;
    if (found && is_allocator(symbol)) {
        void *bound = dlsym(RTLD_DEFAULT, symbol);
        if (bound && bound != found && in_libc(found)) {
            return bound;
        }
    }
    return found;
}

void library_explain(const struct library *library, const char *symbol, struct message *why)
{
    const char *name = library->name[0] ? library->name : "the C library";
    (void)message_set(why, 0, "%s has no function '%s'", name, symbol);
    struct link_map *map = NULL;
    if (library->handle && dlinfo(library->handle, RTLD_DI_LINKMAP, &map) == 0) {
        near_suggest(map, symbol, why);
    }
}

void library_deinit(struct library *library)
{
    if (library) {
        fd_release(&library->file);
    }
}
