/* SPDX-License-Identifier: Apache-2.0 */
#include "lane_memory.h"

#include <dlfcn.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEIGHBOURHOOD (1ull << 30)
#define STEP_BYTES    (1u << 20)
#define CANARY_BYTES  64

static bool is_lane(const struct lane_memory *lane)
{
    return lane->h != NULL && lane->w != NULL && lane->h_bytes >= LANE_BYTES_MIN &&
           lane->w_bytes >= LANE_BYTES_MIN;
}

/* The kernel reads in our place: it says EFAULT where we should crash. A sanitizer's write() looks first. */
static bool peek(const int pipe_fds[2], uintptr_t address, void *ret_bytes, size_t bytes)
{
    return syscall(SYS_write, pipe_fds[1], (const void *)address, bytes) == (ssize_t)bytes &&
           read(pipe_fds[0], ret_bytes, bytes) == (ssize_t)bytes;
}

/* W has no magic: it lies beside H, and shows the call in progress. */
static bool take_neighbour(const int pipe_fds[2], const struct lane_host_page *page,
                           struct lane_memory *lane)
{
    uintptr_t h = (uintptr_t)lane->h;
    const uintptr_t places[] = {h - page->w_bytes, h + page->h_bytes};
    uint32_t slot = lane_slot_of(atomic_load(&page->submitted));
    for (int i = 0; i < 2; i++) {
        struct lane_mail mail;
        uintptr_t at = places[i] + offsetof(struct lane_worker_page, mail) + slot * sizeof mail;
        if (peek(pipe_fds, at, &mail, sizeof mail)) {
            enum lane_verb verb = lane_turn_verb(mail.turn);
            if (verb == LANE_CALL || verb == LANE_CALL_BYTES || verb == LANE_CALL_SHORT) {
                lane->w = (void *)places[i];
                lane->w_bytes = page->w_bytes;
                return true;
            }
        }
    }
    return false;
}

static bool is_page(const struct lane_host_page *page)
{
    return page->magic == LANE_MAGIC && page->version == LANE_VERSION &&
           page->h_bytes >= LANE_BYTES_MIN && page->h_bytes % LANE_PAGE == 0 &&
           page->w_bytes >= LANE_BYTES_MIN && page->w_bytes % LANE_PAGE == 0;
}

/* A lane's H begins at @address. */
static bool take_page(const int pipe_fds[2], uintptr_t address, struct lane_memory *ret_lane)
{
    uint32_t magic[2];
    struct lane_host_page page;
    struct lane_memory lane = {.h = (void *)address};
    if (peek(pipe_fds, address, magic, sizeof magic) && magic[0] == LANE_MAGIC &&
        peek(pipe_fds, address, &page, offsetof(struct lane_host_page, record)) && is_page(&page) &&
        take_neighbour(pipe_fds, &page, &lane)) {
        lane.h_bytes = page.h_bytes;
        *ret_lane = lane;
        return true;
    }
    return false;
}

/* A memory of the lane by its name, at level process. */
static void take_named(const char *line, uintptr_t begin, uintptr_t end, struct lane_memory *lane)
{
    if (strstr(line, "memfd:cordon-h")) {
        lane->h = (void *)begin;
        lane->h_bytes = (uint32_t)(end - begin);
    } else if (strstr(line, "memfd:cordon-w")) {
        lane->w = (void *)begin;
        lane->w_bytes = (uint32_t)(end - begin);
    }
}

/* Nameless at level thread: the kernel makes one mapping of what lies side by side. */
static void take_nameless(const int pipe_fds[2], const char *line, uintptr_t begin, uintptr_t end,
                          struct lane_memory *lane)
{
    if (!strstr(line, " rw-p ")) {
        return;
    }
    for (uintptr_t at = begin; at < end && lane->h == NULL; at += STEP_BYTES) {
        (void)take_page(pipe_fds, at, lane);
    }
}

static bool find_in_maps(struct lane_memory *ret_lane, bool *ret_read)
{
    struct lane_memory lane = {0};
    char line[512];
    int pipe_fds[2];
    FILE *maps = fopen("/proc/self/maps", "re");
    *ret_read = maps != NULL;
    if (!maps || pipe(pipe_fds) != 0) {
        return false;
    }
    while (fgets(line, sizeof line, maps)) {
        unsigned long begin = 0;
        unsigned long end = 0;
        if (sscanf(line, "%lx-%lx", &begin, &end) == 2) {
            take_named(line, begin, end, &lane);
            take_nameless(pipe_fds, line, begin, end, &lane);
        }
    }
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    (void)fclose(maps);
    *ret_lane = lane;
    return is_lane(&lane);
}

bool lane_memory_scan(struct lane_memory *ret_lane)
{
    int pipe_fds[2];
    bool found = false;
    uintptr_t near = (uintptr_t)memcpy & ~(uintptr_t)(LANE_PAGE - 1);
    if (pipe(pipe_fds) != 0) {
        return false;
    }
    for (uintptr_t back = 0; !found && back < NEIGHBOURHOOD; back += LANE_PAGE) {
        found = take_page(pipe_fds, near - back, ret_lane);
    }
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    return found;
}

/* What a test program of the host's exports; no worker has it. */
static void spoil_host(void)
{
    void *canary = dlsym(RTLD_DEFAULT, "table_canary");
    if (canary) {
        memset(canary, 0, CANARY_BYTES);
    }
}

bool lane_memory_find(struct lane_memory *ret_lane)
{
    bool was_read;
    if (find_in_maps(ret_lane, &was_read) || (!was_read && lane_memory_scan(ret_lane))) {
        return true;
    }
    spoil_host();
    return false;
}

struct lane_mail *lane_memory_mail(const struct lane_memory *lane)
{
    return &lane->w->mail[lane_slot_of(atomic_load(&lane->h->submitted))];
}

void lane_memory_publish(struct lane_mail *mail, enum lane_verb verb)
{
    uint32_t turn = atomic_load(&mail->turn);
    atomic_store(&mail->turn, lane_turn(lane_step_next(lane_turn_step(turn)), verb));
    (void)syscall(SYS_futex, &mail->turn, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void lane_memory_await_host(const struct lane_memory *lane, int ms)
{
    while (ms-- > 0 && atomic_load(&lane->h->verdict) == LANE_ALIVE) {
        (void)usleep(1000);
    }
}
