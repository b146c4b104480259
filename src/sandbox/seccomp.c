/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/seccomp.h"

#include <errno.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/compose.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1u << 5) /* Linux 5.19 */
#endif

#define LANDLOCK_TRUNCATES 3
#define LANDLOCK_SIGNALS   6

/* Where the dynamic loader's code lies. */
struct loader {
    uint64_t base;
    uint64_t first;
    uint64_t last;
};

static int find_loader(struct dl_phdr_info *info, size_t size, void *context)
{
    struct loader *loader = context;
    (void)size;
    if (info->dlpi_addr != loader->base) {
        return 0;
    }
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) && part->p_memsz != 0) {
            loader->first = info->dlpi_addr + part->p_vaddr;
            loader->last = loader->first + part->p_memsz - 1;
        }
    }
    return 1;
}

static long set(const struct sock_filter *code, size_t count, unsigned flags)
{
    struct sock_fprog program = {.len = (unsigned short)count,
                                 .filter = (struct sock_filter *)(uintptr_t)code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* 0, 0: not known. */
static struct loader loader_of_process(void)
{
    struct loader loader = {.base = getauxval(AT_BASE)};
    if (loader.base != 0) {
        (void)dl_iterate_phdr(find_loader, &loader);
    }
    return loader;
}

int seccomp_enter(const struct seccomp_wish *wish, int *ret_listener)
{
    struct sock_filter code[FILTER_COUNT_MAX];
    struct loader loader = loader_of_process();
    struct compose_wish composed = {
        .policy = wish->policy,
        .listener = wish->listener,
        .files_guarded = wish->landlock > 0,
        .opens_nothing = wish->opens_nothing,
        .truncates_guarded = wish->landlock >= LANDLOCK_TRUNCATES,
        .signals_guarded = wish->landlock >= LANDLOCK_SIGNALS,
        .alarm_call = wish->alarm_call,
        .pid = (uint32_t)getpid(),
        .loader_first = loader.first,
        .loader_last = loader.last,
    };
    int count = compose_filter(&composed, code);
    if (count < 0) {
        return count;
    }
    unsigned flags = wish->listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    /* A thread whose call the listener has taken up is not torn away from it by a signal. */
    long r = wish->listener
                 ? set(code, (size_t)count, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
                 : -1;
    if (r < 0) {
        r = set(code, (size_t)count, flags);
    }
    if (r < 0) {
        return -errno;
    }
    *ret_listener = wish->listener ? (int)r : -1;
    return 0;
}

int seccomp_close_opening(bool listened)
{
    struct sock_filter code[FILTER_COUNT_MAX];
    struct loader loader = {0};
    if (listened) {
        loader = loader_of_process();
    }
    int count = compose_seal(loader.first, loader.last, code);
    if (count < 0) {
        return count;
    }
    long r = set(code, (size_t)count, SECCOMP_FILTER_FLAG_TSYNC);
    return r == 0 ? 0 : r > 0 ? -ESRCH : -errno;
}
