/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/host.h"

#include "base/fd.h"
#include "base/memfd.h"
#include "lane/host_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>

/* Touched when the lane is made, beside the page itself: what small requests and replies use. */
#define WARM_BYTES (64u * 1024u)

#define FIRST_FD 3 /* of duplicates: the standard ones are the host's, also where they are closed */

static bool size_is_sound(uint32_t bytes)
{
    return bytes >= LANE_BYTES_MIN && bytes % LANE_PAGE == 0;
}

/* Only what a call will touch anyway is paid for at once. Failing here costs time later, nothing else. */
static void prepare(void *memory, uint32_t bytes, uint32_t warm_bytes)
{
    (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
    (void)madvise(memory, warm_bytes < bytes ? warm_bytes : bytes, MADV_POPULATE_WRITE);
}

static int map(int fd, uint32_t bytes, uint32_t warm_bytes, void **ret_memory)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    if (madvise(memory, bytes, MADV_DONTFORK) < 0) {
        int error = errno;
        (void)munmap(memory, bytes);
        return -error;
    }
    prepare(memory, bytes, warm_bytes);
    *ret_memory = memory;
    return 0;
}

static int make_memories(struct lane *lane, bool private_memory)
{
    int r;
    if (!private_memory) {
        /* H gets its last two seals from the keeper, once it has mapped it for writing. */
        r = memfd_new("cordon-h", lane->h_bytes, F_SEAL_SHRINK | F_SEAL_GROW, &lane->h_fd);
        if (r < 0) {
            return r;
        }
        r = memfd_new("cordon-w", lane->w_bytes, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
                      &lane->w_fd);
        if (r < 0) {
            return r;
        }
    }
    void *memory;
    r = map(lane->h_fd, lane->h_bytes, LANE_H_BYTES_AT + WARM_BYTES, &memory);
    if (r < 0) {
        return r;
    }
    /* errno is positive: 0 is a mapping. NOLINTNEXTLINE(clang-analyzer-*) */
    lane->h = memory;
    r = map(lane->w_fd, lane->w_bytes, LANE_W_BYTES_AT + WARM_BYTES, &memory);
    if (r < 0) {
        return r;
    }
    lane->w = memory;
    return 0;
}

static bool has_one_cpu(void)
{
    cpu_set_t allowed;
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) == 1;
}

static void fill_page(struct lane *lane)
{
    struct lane_host_page *h = lane->h;
    h->magic = LANE_MAGIC;
    h->version = LANE_VERSION;
    h->h_bytes = lane->h_bytes;
    h->w_bytes = lane->w_bytes;
    h->wake = lane->wake;
    h->one_cpu = has_one_cpu();
    lane->cpu = (uint32_t)sched_getcpu();
    /* Relaxed: nobody shares the memory yet. */
    atomic_store_explicit(&h->host_cpu, lane->cpu, memory_order_relaxed);
    atomic_store_explicit(&h->host_parked, lane->wake == LANE_WAKE_EVENTFD ? LANE_PARKED_ANY : 0,
                          memory_order_relaxed);
}

static int open_in(struct lane *lane, const struct lane_options *options)
{
    lane->h_fd = lane->w_fd = lane->event_fd = lane->bell_fd = lane->alarm_fd = -1;
    lane->h_bytes = options->h_bytes != 0 ? options->h_bytes : LANE_H_BYTES_DEFAULT;
    lane->w_bytes = options->w_bytes != 0 ? options->w_bytes : LANE_W_BYTES_DEFAULT;
    lane->wake = options->wake;
    lane->purse = LANE_PURSE_START_NS;
    if (!size_is_sound(lane->h_bytes) || !size_is_sound(lane->w_bytes)) {
        return -EINVAL;
    }
    int r = make_memories(lane, options->private_memory);
    if (r < 0) {
        return r;
    }
    if (lane->wake == LANE_WAKE_EVENTFD) {
        lane->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        lane->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (lane->event_fd < 0 || lane->bell_fd < 0) {
            return -errno;
        }
    }
    lane_space_init(&lane->h_space, LANE_H_BYTES_AT, lane->h_bytes);
    lane_space_init(&lane->w_space, LANE_W_BYTES_AT, lane_callback_at(lane->w_bytes));
    fill_page(lane);
    return 0;
}

int lane_open(const struct lane_options *options, struct lane **ret_lane)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return -ENOMEM;
    }
    int r = open_in(lane, options);
    if (r < 0) {
        lane_close(lane);
        return r;
    }
    *ret_lane = lane;
    return 0;
}

static int map_again(int fd, uint32_t *ret_bytes, void **ret_memory)
{
    uint64_t bytes;
    int r = memfd_judge(fd, F_SEAL_SHRINK | F_SEAL_GROW, &bytes);
    if (r < 0 || bytes > UINT32_MAX || !size_is_sound((uint32_t)bytes)) {
        return -EBADMSG;
    }
    *ret_bytes = (uint32_t)bytes;
    return map(fd, *ret_bytes, 0, ret_memory);
}

static int duplicate(int fd, int *ret_fd)
{
    *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    return *ret_fd < 0 ? -errno : 0;
}

static int open_again(struct lane *lane, int h_fd, int w_fd, int event_fd, int bell_fd)
{
    void *memory = NULL;
    lane->h_fd = lane->w_fd = lane->event_fd = lane->bell_fd = lane->alarm_fd = -1;
    int r = map_again(h_fd, &lane->h_bytes, &memory);
    if (r < 0) {
        return r;
    }
    lane->h = memory;
    r = map_again(w_fd, &lane->w_bytes, &memory);
    if (r < 0) {
        return r;
    }
    lane->w = memory;
    r = duplicate(bell_fd, &lane->bell_fd);
    return r < 0 || event_fd < 0 ? r : duplicate(event_fd, &lane->event_fd);
}

int lane_open_again(int h_fd, int w_fd, int event_fd, int bell_fd, struct lane **ret_lane)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return -ENOMEM;
    }
    int r = open_again(lane, h_fd, w_fd, event_fd, bell_fd);
    if (r < 0) {
        lane_close(lane);
        return r;
    }
    *ret_lane = lane;
    return 0;
}

void lane_peek_sizes(const struct lane *lane, uint32_t *ret_h_bytes, uint32_t *ret_w_bytes)
{
    *ret_h_bytes = lane->h_bytes;
    *ret_w_bytes = lane->w_bytes;
}

void lane_close(struct lane *lane)
{
    if (lane == NULL) {
        return;
    }
    if (lane->h != NULL) {
        (void)munmap(lane->h, lane->h_bytes);
    }
    if (lane->w != NULL) {
        (void)munmap(lane->w, lane->w_bytes);
    }
    fd_release(&lane->h_fd);
    fd_release(&lane->w_fd);
    fd_release(&lane->event_fd);
    fd_release(&lane->bell_fd);
    free(lane);
}

int lane_peek_h_fd(const struct lane *lane)
{
    return lane->h_fd;
}

int lane_peek_w_fd(const struct lane *lane)
{
    return lane->w_fd;
}

int lane_peek_event_fd(const struct lane *lane)
{
    return lane->event_fd;
}

int lane_peek_bell_fd(const struct lane *lane)
{
    return lane->bell_fd;
}

void lane_set_alarm_fd(struct lane *lane, int fd)
{
    lane->alarm_fd = fd;
}

void *lane_peek_h(const struct lane *lane)
{
    return lane->h;
}

void *lane_peek_w(const struct lane *lane)
{
    return lane->w;
}

struct lane_counts lane_peek_counts(const struct lane *lane)
{
    return lane->counts;
}

static void drain(int event_fd)
{
    uint64_t rings;
    struct iovec into = {.iov_base = &rings, .iov_len = sizeof rings};
    /* RWF_NOWAIT, because O_NONBLOCK belongs to the open file and the worker may have cleared it. */
    ssize_t got = preadv2(event_fd, &into, 1, -1, RWF_NOWAIT);
    (void)got; /* EAGAIN: nothing came. */
}

void lane_drain_event(struct lane *lane)
{
    drain(lane->event_fd);
    drain(lane->bell_fd);
}

/* Zero bytes take no place, and so have none to give back. */
static void give_back(struct lane_space *space, uint32_t at, uint32_t bytes)
{
    if (bytes != 0) {
        lane_space_free(space, at);
    }
}

int lane_room_new(struct lane *lane, uint32_t h_bytes, uint32_t w_bytes, struct lane_room *ret_room)
{
    if (h_bytes == LANE_ROOM_ALL) {
        h_bytes = lane_space_largest(&lane->h_space);
    }
    if (w_bytes == LANE_ROOM_ALL) {
        w_bytes = lane_space_largest(&lane->w_space);
    }
    struct lane_room room = {.h_bytes = h_bytes, .w_bytes = w_bytes};
    int r = lane_space_new(&lane->h_space, h_bytes, &room.h_at);
    if (r == -E2BIG) {
        return r;
    }
    int w_r = lane_space_new(&lane->w_space, w_bytes, &room.w_at);
    if (r < 0 || w_r < 0) {
        if (r == 0) {
            give_back(&lane->h_space, room.h_at, h_bytes);
        }
        if (w_r == 0) {
            give_back(&lane->w_space, room.w_at, w_bytes);
        }
        return w_r < 0 ? w_r : r;
    }
    *ret_room = room;
    return 0;
}

static void shrink(struct lane_space *space, uint32_t at, uint32_t *bytes, uint32_t kept)
{
    if (*bytes != 0) {
        lane_space_shrink(space, at, kept);
        *bytes = kept;
    }
}

void lane_room_shrink(struct lane *lane, struct lane_room *room, uint32_t h_bytes, uint32_t w_bytes)
{
    shrink(&lane->h_space, room->h_at, &room->h_bytes, h_bytes);
    shrink(&lane->w_space, room->w_at, &room->w_bytes, w_bytes);
}

void lane_room_free(struct lane *lane, const struct lane_room *room)
{
    give_back(&lane->h_space, room->h_at, room->h_bytes);
    give_back(&lane->w_space, room->w_at, room->w_bytes);
}

uint8_t *lane_room_h(const struct lane *lane, const struct lane_room *room)
{
    return (uint8_t *)lane->h + room->h_at;
}

const volatile uint8_t *lane_room_w(const struct lane *lane, const struct lane_room *room)
{
    return (const volatile uint8_t *)lane->w + room->w_at;
}
