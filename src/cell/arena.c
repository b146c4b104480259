/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/fd.h"

#define ARENA_ALIGN 64u

/* One stretch of the arena, used or free; stretches are in order of address and cover it all. */
struct stretch {
    struct stretch *previous;
    struct stretch *next;
    size_t at;
    size_t bytes;
    bool used;
};

struct arena {
    uint8_t *base;
    size_t bytes;
    bool mapped;
    int fd;
    pthread_mutex_t lock; /* guards the stretches */
    struct stretch *first;
};

static int memory_file(size_t bytes, int *ret_fd)
{
    OWN_FD fd = memfd_create("cordon-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return -errno;
    }
    *ret_fd = take_fd(&fd);
    return 0;
}

static int map_memory(struct arena *arena, int fd, int fixed)
{
    int flags = MAP_NORESERVE | fixed | (fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);
    void *base = mmap(arena->base, arena->bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (base == MAP_FAILED) {
        return -errno;
    }
    arena->base = base;
    arena->mapped = true;
    (void)madvise(base, arena->bytes, MADV_DONTFORK);
    return 0;
}

/*
 * Where a worker will have nothing: between the heap of old layouts and the programs and libraries of
 * new ones, on a page by chance. A wish: the kernel puts the arena elsewhere if this is taken.
 */
static void *likely_free(void)
{
    uint32_t chance = 0;
    (void)!getrandom(&chance, sizeof chance, GRND_NONBLOCK);
    return (void *)(0x200000000000ull + ((uint64_t)(chance & 0xffffff) << 20));
}

static int open_arena(void *base, int fixed, size_t bytes, bool shared, struct arena **ret_arena)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena) {
        return -ENOMEM;
    }
    arena->fd = -1;
    arena->bytes = (bytes + 4095u) & ~(size_t)4095u;
    (void)pthread_mutex_init(&arena->lock, NULL);
    arena->base = base;
    int r = shared ? memory_file(arena->bytes, &arena->fd) : 0;
    if (r == 0) {
        r = map_memory(arena, arena->fd, fixed);
    }
    if (r == 0) {
        arena->first = calloc(1, sizeof *arena->first);
        r = arena->first ? 0 : -ENOMEM;
    }
    if (r != 0) {
        arena_close(arena);
        return r;
    }
    arena->first->bytes = arena->bytes;
    *ret_arena = arena;
    return 0;
}

int arena_open(size_t bytes, bool shared, struct arena **ret_arena)
{
    return open_arena(likely_free(), 0, bytes, shared, ret_arena);
}

int arena_open_at(uintptr_t base, size_t bytes, bool shared, struct arena **ret_arena)
{
    return open_arena((void *)base, MAP_FIXED_NOREPLACE, bytes, shared, ret_arena);
}

void arena_close(struct arena *arena)
{
    if (!arena) {
        return;
    }
    while (arena->first) {
        struct stretch *next = arena->first->next;
        free(arena->first);
        arena->first = next;
    }
    if (arena->mapped) {
        (void)munmap(arena->base, arena->bytes);
    }
    fd_release(&arena->fd);
    (void)pthread_mutex_destroy(&arena->lock);
    free(arena);
}

/* Cut @stretch after @bytes; the rest stays free. False: no memory for the note of it. */
static bool stretch_split(struct stretch *stretch, size_t bytes)
{
    if (stretch->bytes == bytes) {
        return true;
    }
    struct stretch *rest = calloc(1, sizeof *rest);
    if (!rest) {
        return false;
    }
    *rest = (struct stretch){.previous = stretch,
                             .next = stretch->next,
                             .at = stretch->at + bytes,
                             .bytes = stretch->bytes - bytes};
    if (rest->next) {
        rest->next->previous = rest;
    }
    stretch->next = rest;
    stretch->bytes = bytes;
    return true;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    if (bytes == 0 || bytes > arena->bytes) {
        return NULL;
    }
    size_t need = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    void *memory = NULL;
    (void)pthread_mutex_lock(&arena->lock);
    for (struct stretch *stretch = arena->first; stretch; stretch = stretch->next) {
        if (!stretch->used && stretch->bytes >= need) {
            if (stretch_split(stretch, need)) {
                stretch->used = true;
                memory = arena->base + stretch->at;
            }
            break;
        }
    }
    (void)pthread_mutex_unlock(&arena->lock);
    return memory;
}

/* Join @stretch with a free one behind it. */
static void stretch_join(struct stretch *stretch)
{
    struct stretch *next = stretch->next;
    if (stretch->used || !next || next->used) {
        return;
    }
    stretch->bytes += next->bytes;
    stretch->next = next->next;
    if (next->next) {
        next->next->previous = stretch;
    }
    free(next);
}

void arena_free(struct arena *arena, void *memory)
{
    if (!memory || !arena_check(arena, memory, 1)) {
        return;
    }
    size_t at = (size_t)((uint8_t *)memory - arena->base);
    (void)pthread_mutex_lock(&arena->lock);
    struct stretch *stretch = arena->first;
    while (stretch && stretch->at != at) {
        stretch = stretch->next;
    }
    if (stretch && stretch->used) {
        stretch->used = false;
        stretch_join(stretch);
        if (stretch->previous) {
            stretch_join(stretch->previous);
        }
    }
    (void)pthread_mutex_unlock(&arena->lock);
}

bool arena_check(const struct arena *arena, const void *pointer, size_t bytes)
{
    uintptr_t at = (uintptr_t)pointer;
    uintptr_t base = (uintptr_t)arena->base;
    return at >= base && bytes <= arena->bytes && at - base <= arena->bytes - bytes;
}

uintptr_t arena_base(const struct arena *arena)
{
    return (uintptr_t)arena->base;
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->bytes;
}

int arena_peek_fd(const struct arena *arena)
{
    return arena->fd;
}

/* What of @at to @end was ever written. */
static int visit_written(const struct arena *arena, off_t at, off_t end,
                         int (*look)(void *context, size_t at, size_t bytes), void *context)
{
    int r = 0;
    while (r == 0 && at < end) {
        off_t from = lseek(arena->fd, at, SEEK_DATA);
        if (from < 0) {
            return errno == ENXIO ? 0 : -errno; /* nothing from here on */
        }
        off_t to = from < end ? lseek(arena->fd, from, SEEK_HOLE) : end;
        if (to < 0) {
            return -errno;
        }
        to = to < end ? to : end;
        r = from < to ? look(context, (size_t)from, (size_t)(to - from)) : 0;
        at = to;
    }
    return r;
}

int arena_visit(const struct arena *arena, int (*look)(void *context, size_t at, size_t bytes),
                void *context)
{
    /* The lock alone is changed. */
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&arena->lock;
    int r = arena->fd < 0 ? -ENOTSUP : 0;
    (void)pthread_mutex_lock(lock);
    for (const struct stretch *stretch = arena->first; stretch && r == 0; stretch = stretch->next) {
        if (stretch->used) {
            r = visit_written(arena, (off_t)stretch->at, (off_t)(stretch->at + stretch->bytes),
                              look, context);
        }
    }
    (void)pthread_mutex_unlock(lock);
    return r;
}

/* Copy what was ever written: holes of the old memory stay holes of the new. */
static int copy_contents(const struct arena *arena, int to)
{
    off_t at = 0;
    while ((at = lseek(arena->fd, at, SEEK_DATA)) >= 0) {
        off_t end = lseek(arena->fd, at, SEEK_HOLE);
        if (end < 0) {
            return -errno;
        }
        while (at < end) {
            ssize_t wrote = pwrite(to, arena->base + at, (size_t)(end - at), at);
            if (wrote <= 0) {
                return wrote < 0 ? -errno : -EIO;
            }
            at += wrote;
        }
    }
    return errno == ENXIO ? 0 : -errno;
}

int arena_renew(struct arena *arena)
{
    if (arena->fd < 0) {
        return 0;
    }
    OWN_FD fd = -1;
    int r = memory_file(arena->bytes, &fd);
    if (r == 0) {
        r = copy_contents(arena, fd);
    }
    if (r == 0) {
        r = map_memory(arena, fd, MAP_FIXED);
    }
    if (r != 0) {
        return r;
    }
    fd_release(&arena->fd);
    arena->fd = take_fd(&fd);
    return 0;
}
