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
    bool sound =
        /* errno is positive: it is mapped. NOLINTNEXTLINE(clang-analyzer-*) */
        h->magic == LANE_MAGIC && h->version == LANE_VERSION && h->h_bytes == ward->h_bytes &&
        h->w_bytes == ward->w_bytes &&
        (lane_ward_is_lent(ward) || (h->wake == LANE_WAKE_EVENTFD) == (ward->bell_fd >= 0));
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

static int map_ledger(struct lane_ward *ward, int ledger_fd)
{
    uint64_t bytes;
    int r = memfd_judge(ledger_fd, F_SEAL_SHRINK | F_SEAL_GROW, &bytes);
    if (r < 0 || bytes != LEASE_LEDGER_BYTES) {
        return -EBADMSG;
    }
    void *memory = NULL;
    r = map(ledger_fd, LEASE_LEDGER_BYTES, PROT_READ | PROT_WRITE, &memory);
    if (r < 0) {
        return r;
    }
    ward->ledger = memory;
    /* errno is positive: it is mapped. NOLINTNEXTLINE(clang-analyzer-*) */
    return ward->ledger->magic == LEASE_LEDGER_MAGIC && ward->ledger->version == LEASE_VERSION
               ? 0
               : -EBADMSG;
}

int lane_ward_open_lent(struct lane_ward *ward, int h_fd, int w_fd, int bell_fd, int ledger_fd,
                        uint64_t deadline_max_ns)
{
    struct lane_ward opened = {.bell_fd = bell_fd, .deadline_max_ns = deadline_max_ns};
    int r = map_ledger(&opened, ledger_fd);
    r = r < 0 ? r : open_in(&opened, h_fd, w_fd);
    if (r < 0) {
        lane_ward_close(&opened);
        return r;
    }
    *ward = opened;
    return 0;
}

void lane_ward_close(struct lane_ward *ward)
{
    if (ward->ledger != NULL) {
        (void)munmap(ward->ledger, LEASE_LEDGER_BYTES);
        ward->ledger = NULL;
    }
    if (ward->h != NULL) {
        (void)munmap(ward->h, ward->h_bytes);
        ward->h = NULL;
    }
    if (ward->w != NULL) {
        (void)munmap(ward->w, ward->w_bytes);
        ward->w = NULL;
    }
}

struct lane_death lane_ward_death(const struct lane_ward *ward)
{
    struct lane_death death = {0};
    if (lane_ward_is_lent(ward)) {
        return ward->verdict != LANE_ALIVE ? ward->ledger->death : death; /* H is a client's word */
    }
    /* Pairs with the release in lane_verdict_give(): death before final. */
    if (atomic_load_explicit(&ward->h->verdict_final, memory_order_acquire) & LANE_FINAL_DEATH) {
        death = ward->h->death;
        death.text[sizeof death.text - 1] = '\0';
    }
    return death;
}

void lane_ward_warm(const struct lane_ward *ward)
{
    /* Only time is lost where this is refused. */
    (void)madvise(ward->h, LANE_H_BYTES_AT, MADV_POPULATE_WRITE);
    (void)madvise((void *)(uintptr_t)ward->w, LANE_W_BYTES_AT, MADV_POPULATE_READ);
}

static void ring_lender(const struct lane_ward *ward)
{
    if (ward->bell_fd >= 0) {
        lane_ring_event(ward->bell_fd);
    }
}

/* A worker that left because its client gave a verdict: late, if a call was, else closed. */
static enum lane_verdict as_client_ended_it(struct lane_ward *ward, uint32_t *seq)
{
    uint64_t next_ns;
    if (lane_ward_overdue(ward, clock_now_ns(), seq, &next_ns)) {
        return LANE_DEADLINE;
    }
    *seq = 0;
    return LANE_CLOSED;
}

/* Private first, then the ledger: what H says by now changes neither. */
static bool condemn_lent(struct lane_ward *ward, enum lane_verdict verdict, uint32_t seq,
                         const struct lane_death *death)
{
    if (ward->verdict != LANE_ALIVE) {
        return false;
    }
    /* Relaxed: the word alone is meant. A client that was told of a crash says so as well. */
    uint32_t said = atomic_load_explicit(&ward->h->verdict, memory_order_relaxed);
    if (verdict == LANE_DIED && said != LANE_ALIVE && said != LANE_DIED) {
        verdict = as_client_ended_it(ward, &seq);
    }
    ward->verdict = verdict;
    ward->blamed = seq;
    if (death != NULL) {
        ward->ledger->death = *death;
    }
    ward->ledger->blamed = seq;
    /* Pairs with the acquire of the lender: death and blame before verdict. */
    atomic_store_explicit(&ward->ledger->verdict, verdict, memory_order_release);
    if (lane_verdict_give(ward->h, ward->w, -1, verdict, seq, death) && death != NULL) {
        ward->death_written = true;
    }
    ring_lender(ward);
    return true;
}

bool lane_ward_is_over(const struct lane_ward *ward)
{
    /* Relaxed: the word alone is meant. */
    return lane_ward_verdict(ward) != LANE_ALIVE ||
           atomic_load_explicit(&ward->h->verdict, memory_order_relaxed) != LANE_ALIVE;
}

bool lane_ward_is_said_dead(const struct lane_ward *ward)
{
    return lane_ward_is_lent(ward) && ward->verdict == LANE_ALIVE &&
           atomic_load_explicit(&ward->h->verdict, memory_order_relaxed) == LANE_DIED;
}

void lane_ward_loaded(struct lane_ward *ward)
{
    if (lane_ward_is_lent(ward)) {
        atomic_store_explicit(&ward->ledger->loaded, 1, memory_order_release);
        ring_lender(ward);
    }
}

bool lane_ward_condemn(struct lane_ward *ward, enum lane_verdict verdict, uint32_t seq,
                       const struct lane_death *death)
{
    if (lane_ward_is_lent(ward)) {
        return condemn_lent(ward, verdict, seq, death);
    }
    bool won = lane_verdict_give(ward->h, ward->w, ward->bell_fd, verdict, seq, death);
    if (won && death != NULL) {
        ward->death_written = true;
    }
    return won;
}

enum lane_verdict lane_ward_verdict(const struct lane_ward *ward)
{
    if (lane_ward_is_lent(ward)) {
        return ward->verdict;
    }
    /* Relaxed: the word alone is meant. */
    return (enum lane_verdict)atomic_load_explicit(&ward->h->verdict, memory_order_relaxed);
}

uint32_t lane_ward_blamed(const struct lane_ward *ward)
{
    if (lane_ward_is_lent(ward)) {
        return ward->blamed;
    }
    /* Pairs with the release in lane_verdict_give(): blame before final. */
    if (atomic_load_explicit(&ward->h->verdict_final, memory_order_acquire) == 0) {
        return 0;
    }
    return atomic_load_explicit(&ward->h->verdict_seq, memory_order_relaxed);
}

void lane_ward_gone(struct lane_ward *ward, const struct lane_death *death)
{
    if (lane_ward_is_lent(ward)) {
        if (ward->ledger->death.code == 0) {
            ward->ledger->death = *death;
        }
        atomic_store_explicit(&ward->ledger->gone, 1, memory_order_release);
    }
    /* Pairs with the release in lane_verdict_give(): a host may have been told before the keeper was. */
    uint32_t final = atomic_load_explicit(&ward->h->verdict_final, memory_order_acquire);
    if (!ward->death_written && !(final & LANE_FINAL_DEATH)) {
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

/* When call @seq ends, whatever its client wrote there: a record is read once. */
static uint64_t lent_deadline(struct lane_ward *ward, uint32_t seq, uint64_t now_ns)
{
    struct lane_seen *seen = &ward->seen[lane_slot_of(seq)];
    const struct lane_record *record = &ward->h->record[lane_slot_of(seq)];
    if (seen->since_ns == 0 || seen->seq != seq) {
        *seen = (struct lane_seen){.seq = seq, .since_ns = now_ns};
    }
    uint64_t most_ns = seen->since_ns + ward->deadline_max_ns;
    uint64_t deadline_ns = atomic_load_explicit(&record->deadline_ns, memory_order_relaxed);
    return deadline_ns < most_ns ? deadline_ns : most_ns;
}

static uint64_t lent_look(const struct lane_ward *ward)
{
    uint64_t every_ns = ward->deadline_max_ns / 4;
    every_ns = every_ns < LANE_LENT_LOOK_MIN_NS ? LANE_LENT_LOOK_MIN_NS : every_ns;
    return every_ns < LANE_LENT_LOOK_MAX_NS ? every_ns : LANE_LENT_LOOK_MAX_NS;
}

static bool lent_overdue(struct lane_ward *ward, uint64_t now_ns, uint32_t *ret_seq,
                         uint64_t *ret_next_ns)
{
    uint64_t next_ns = now_ns + lent_look(ward);
    uint32_t seq;
    uint32_t count;
    in_flight(ward, &seq, &count);
    for (; count > 0; seq++, count--) {
        if (is_answered(ward, seq)) {
            continue;
        }
        uint64_t deadline_ns = lent_deadline(ward, seq, now_ns);
        if (deadline_ns <= now_ns) {
            *ret_seq = seq;
            return true;
        }
        next_ns = deadline_ns < next_ns ? deadline_ns : next_ns;
    }
    *ret_next_ns = next_ns;
    return false;
}

bool lane_ward_overdue(struct lane_ward *ward, uint64_t now_ns, uint32_t *ret_seq,
                       uint64_t *ret_next_ns)
{
    if (lane_ward_is_lent(ward)) {
        return lent_overdue(ward, now_ns, ret_seq, ret_next_ns);
    }
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
