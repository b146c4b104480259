/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/keeper.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/memfd.h"
#include "lane/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

static int judge_memory(int fd, int seals, uint32_t *ret_bytes)
{
    uint64_t bytes;
    int r = memfd_judge(fd, seals, &bytes);
    if (r < 0) {
        return r;
    }
    if (bytes < LANE_BYTES_MIN || bytes > UINT32_MAX || bytes % LANE_PAGE != 0) {
        return -EBADMSG;
    }
    *ret_bytes = (uint32_t)bytes;
    return 0;
}

static int map(int fd, uint32_t bytes, int protection, void **ret_memory)
{
    void *memory = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    /* Workers are forked from here: they map what is theirs by themselves. */
    (void)madvise(memory, bytes, MADV_DONTFORK);
    *ret_memory = memory;
    return 0;
}

static int map_both(struct lane_ward *ward, int h_fd, int w_fd)
{
    void *memory = NULL;
    int r = map(h_fd, ward->h_bytes, PROT_READ | PROT_WRITE, &memory);
    if (r < 0) {
        return r;
    }
    ward->h = memory;
    r = map(w_fd, ward->w_bytes, PROT_READ, &memory);
    if (r < 0) {
        return r;
    }
    ward->w = memory;
    return 0;
}

static int judge_page(const struct lane_ward *ward)
{
    const struct lane_host_page *h = ward->h;
    /* errno is positive: it is mapped. NOLINTNEXTLINE(clang-analyzer-*) */
    bool sound = h->magic == LANE_MAGIC && h->version == LANE_VERSION &&
                 h->h_bytes == ward->h_bytes && h->w_bytes == ward->w_bytes &&
                 (h->wake == LANE_WAKE_EVENTFD) == (ward->bell_fd >= 0);
    return sound ? 0 : -EBADMSG;
}

static int open_in(struct lane_ward *ward, int h_fd, int w_fd)
{
    int r = judge_memory(h_fd, F_SEAL_SHRINK | F_SEAL_GROW, &ward->h_bytes);
    if (r < 0) {
        return r;
    }
    r = judge_memory(w_fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, &ward->w_bytes);
    if (r < 0) {
        return r;
    }
    r = map_both(ward, h_fd, w_fd);
    if (r < 0) {
        return r;
    }
    r = judge_page(ward);
    if (r < 0) {
        return r;
    }
    /* Host and keeper have their writable mappings: from now on nobody gets another one. */
    return memfd_seal(h_fd, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
}

int lane_ward_open(struct lane_ward *ward, int h_fd, int w_fd, int bell_fd)
{
    struct lane_ward opened = {.bell_fd = bell_fd};
    int r = open_in(&opened, h_fd, w_fd);
    if (r < 0) {
        lane_ward_close(&opened);
        return r;
    }
    *ward = opened;
    return 0;
}

void lane_ward_close(struct lane_ward *ward)
{
    if (ward->h != NULL) {
        (void)munmap(ward->h, ward->h_bytes);
        ward->h = NULL;
    }
    if (ward->w != NULL) {
        (void)munmap(ward->w, ward->w_bytes);
        ward->w = NULL;
    }
}

bool lane_ward_condemn(struct lane_ward *ward, enum lane_verdict verdict, uint32_t seq,
                       const struct lane_death *death)
{
    bool won = lane_verdict_give(ward->h, ward->w, ward->bell_fd, verdict, seq, death);
    if (won && death != NULL) {
        ward->death_written = true;
    }
    return won;
}

enum lane_verdict lane_ward_verdict(const struct lane_ward *ward)
{
    /* Relaxed: the word alone is meant. */
    return (enum lane_verdict)atomic_load_explicit(&ward->h->verdict, memory_order_relaxed);
}

uint32_t lane_ward_blamed(const struct lane_ward *ward)
{
    /* Pairs with the release in lane_verdict_give(): blame before final. */
    if (atomic_load_explicit(&ward->h->verdict_final, memory_order_acquire) == 0) {
        return 0;
    }
    return atomic_load_explicit(&ward->h->verdict_seq, memory_order_relaxed);
}

void lane_ward_gone(struct lane_ward *ward, const struct lane_death *death)
{
    if (!ward->death_written) {
        ward->h->death = *death;
        ward->death_written = true;
    }
    /* Pairs with the acquire in lane_await_gone(): death before gone. */
    atomic_store_explicit(&ward->h->gone, 1, memory_order_release);
    futex_wake(&ward->h->gone, INT_MAX);
    if (ward->bell_fd >= 0) {
        lane_ring_event(ward->bell_fd);
    }
}

void lane_ward_measured(struct lane_ward *ward, uint64_t resident_bytes)
{
    /* Relaxed: a number for itself. */
    atomic_store_explicit(&ward->h->resident_bytes, resident_bytes, memory_order_relaxed);
}

/* The calls in flight, as the host says: a client of a gateway may say anything. */
static void in_flight(const struct lane_ward *ward, uint32_t *ret_first, uint32_t *ret_count)
{
    /* Pair with the releases in host.c: records before submitted. */
    uint32_t collected = atomic_load_explicit(&ward->h->collected, memory_order_acquire);
    uint32_t submitted = atomic_load_explicit(&ward->h->submitted, memory_order_acquire);
    uint32_t count = submitted - collected;
    *ret_count = count <= LANE_SLOTS ? count : 0;
    *ret_first = *ret_count != 0 ? collected + 1 : submitted + 1;
}

/* What the worker says in W. A lie makes a call look answered; then the host's own wait ends it. */
static bool is_answered(const struct lane_ward *ward, uint32_t seq)
{
    uint32_t index = lane_slot_of(seq);
    /* Relaxed: published by `submitted`; a nested call's mark may come late, then the next look sees it. */
    uint32_t step = atomic_load_explicit(&ward->h->record[index].step, memory_order_relaxed);
    uint32_t turn = atomic_load_explicit(&ward->w->mail[index].turn, memory_order_acquire);
    uint32_t ahead = (lane_turn_step(turn) - step) & 0x0fffffffu;
    return lane_turn_verb(turn) == LANE_RETURN && (step & LANE_RECORD_NESTED) == 0 && ahead != 0 &&
           ahead < 0x08000000u;
}

uint32_t lane_ward_unanswered(const struct lane_ward *ward)
{
    uint32_t first;
    uint32_t count;
    in_flight(ward, &first, &count);
    while (count > 0 && is_answered(ward, first)) {
        first++;
        count--;
    }
    return first;
}

bool lane_ward_overdue(struct lane_ward *ward, uint64_t now_ns, uint32_t *ret_seq,
                       uint64_t *ret_next_ns)
{
    _Atomic uint64_t *watch_until_ns = &ward->h->watch_until_ns;
    /* Pairs with the read-modify-write in lane_needs_watch(): a call that is not seen below sees this 0. */
    atomic_exchange_explicit(watch_until_ns, 0, memory_order_acq_rel);
    uint64_t next_ns = CLOCK_NEVER;
    uint32_t seq;
    uint32_t count;
    in_flight(ward, &seq, &count);
    for (; count > 0; seq++, count--) {
        const struct lane_record *record = &ward->h->record[lane_slot_of(seq)];
        /* Relaxed: published by `submitted`. */
        uint64_t deadline_ns = atomic_load_explicit(&record->deadline_ns, memory_order_relaxed);
        if (deadline_ns == CLOCK_NEVER || deadline_ns >= next_ns || is_answered(ward, seq)) {
            continue;
        }
        if (deadline_ns <= now_ns) {
            *ret_seq = seq;
            return true;
        }
        next_ns = deadline_ns;
    }
    /* Pairs with lane_needs_watch(): who sees this time may rely on the keeper looking then. */
    atomic_store_explicit(watch_until_ns, next_ns == CLOCK_NEVER ? 0 : next_ns,
                          memory_order_release);
    *ret_next_ns = next_ns;
    return false;
}
