/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/memfd.h"
#include "cell/cell.h"
#include "cell/lender.h"
#include "cell/place.h"
#include "cell/station.h"
#include "cordon/outcome.h"
#include "lane/identity.h"
#include "report/card.h"

#define GOOD_CALLS_MOST   LANE_SLOTS /* that one look counts: a client may say any number */
#define CALL_BYTES_FACTOR 4u
#define CALL_BYTES_MORE   (1u << 20)
#define BUSY_RETRY_MS     50u

enum { FD_H, FD_W, FD_EVENT, FD_ARENA };

/* ---- What the client sent ---------------------------------------------------------------------- */

static bool is_eventfd(int fd)
{
    char path[64];
    char name[64];
    (void)snprintf(path, sizeof path, "/proc/thread-self/fd/%d", fd);
    ssize_t length = readlink(path, name, sizeof name);
    static const char wanted[] = "anon_inode:[eventfd]";
    return length == (ssize_t)sizeof wanted - 1 && memcmp(name, wanted, sizeof wanted - 1) == 0;
}

static bool memory_fits(int fd, int seals, uint64_t most)
{
    uint64_t bytes;
    return memfd_judge(fd, seals, &bytes) == 0 && bytes >= LANE_BYTES_MIN && bytes <= most &&
           bytes % LANE_PAGE == 0;
}

static bool arena_fits(const struct lender_seat *seat)
{
    const struct lease_request *request = &seat->request;
    uint64_t bytes;
    if (!(request->flags & LEASE_HAS_ARENA)) {
        return request->arena_base == 0 && request->arena_bytes == 0;
    }
    /* The rest of it the keeper judges, as any host's. */
    return request->arena_bytes <= seat->lending->cell->options.arena_bytes &&
           memfd_judge(seat->fds[FD_ARENA], F_SEAL_SHRINK | F_SEAL_GROW, &bytes) == 0 &&
           bytes == request->arena_bytes && request->arena_base % LANE_PAGE == 0 &&
           request->arena_base != 0 && request->arena_bytes % LANE_PAGE == 0 &&
           request->arena_base <= UINT64_MAX - request->arena_bytes;
}

static int judge(const struct lender_seat *seat, struct message *why)
{
    const struct lease_request *request = &seat->request;
    const struct cordon_cell *cell = seat->lending->cell;
    uint64_t most = (uint64_t)cell->options.call_bytes * CALL_BYTES_FACTOR + CALL_BYTES_MORE;
    if (request->identity != lane_client_identity()) {
        return message_set(why, -EPROTO,
                           "the client is of another build of Cordon: its layout is %#x, here it "
                           "is %#x",
                           request->identity, lane_client_identity());
    }
    if (!memory_fits(seat->fds[FD_H], F_SEAL_SHRINK | F_SEAL_GROW, most) ||
        !memory_fits(seat->fds[FD_W], F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, most)) {
        return message_set(why, -EBADMSG, "the memories that came along are no lane's");
    }
    if ((request->flags & LEASE_HAS_EVENT) && !is_eventfd(seat->fds[FD_EVENT])) {
        return message_set(why, -EBADMSG, "the event that came along is no eventfd");
    }
    if (!arena_fits(seat)) {
        return message_set(why, -EBADMSG,
                           "the arena that came along does not fit: at most %llu bytes "
                           "(arena_bytes), a sealed memory, at a page",
                           (unsigned long long)cell->options.arena_bytes);
    }
    return 0;
}

/* May it have a worker now? 0, -EAGAIN: it may wait; else what it is told. */
static int ask(struct lender_seat *seat, bool *ret_probe, uint32_t *ret_retry_ms,
               struct message *why)
{
    struct lending *lending = seat->lending;
    struct cordon_cell *cell = lending->cell;
    uint32_t ending;
    uint64_t wait_ns = 0;
    bool failed;
    int r = cell_usable(cell, why); /* a thread of it has faulted */
    r = r != 0 ? r : starts_ask(cell, ret_retry_ms, why);
    if (r != 0) {
        return r;
    }
    if (lease_count(lending, &ending) >= lending->leases_max) {
        *ret_retry_ms = BUSY_RETRY_MS;
        return ending > 0 ? -EAGAIN
                          : message_set(why, CORDON_BUSY,
                                        "%u workers of the cell are lent, the most there may be "
                                        "(leases)",
                                        lending->leases_max);
    }
    if (!lending_has_keeper(lending, why, &failed)) {
        if (failed) {
            starts_failed(cell, why);
        }
        return failed ? -ECHILD : -EAGAIN;
    }
    if (gate_lent_ask(&cell->gate, clock_now_ns(), ret_probe, &wait_ns) != 0) {
        *ret_retry_ms = (uint32_t)((wait_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS);
        return message_set(why, CORDON_OPEN,
                           "the cell's breaker is open: too many calls crashed or passed their "
                           "deadline; try again in %u ms",
                           *ret_retry_ms);
    }
    return 0;
}

/* ---- Start ------------------------------------------------------------------------------------- */

static int open_ledger(struct lender_lease *lease, int *ret_fd)
{
    OWN_FD fd = -1;
    int r = memfd_new("cordon-ledger", LEASE_LEDGER_BYTES, F_SEAL_SHRINK | F_SEAL_GROW, &fd);
    if (r < 0) {
        return r;
    }
    void *memory = mmap(NULL, LEASE_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    (void)madvise(memory, LEASE_LEDGER_BYTES, MADV_DONTFORK);
    lease->ledger = memory;
    lease->ledger->magic = LEASE_LEDGER_MAGIC;
    lease->ledger->version = LEASE_VERSION;
    *ret_fd = take_fd(&fd);
    return 0;
}

static int map_h(struct lender_lease *lease, int h_fd)
{
    void *memory = mmap(NULL, LANE_H_BYTES_AT, PROT_READ, MAP_SHARED, h_fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    (void)madvise(memory, LANE_H_BYTES_AT, MADV_DONTFORK);
    lease->h = memory;
    return 0;
}

static void add_fd(struct errand *errand, uint32_t flag, int fd, int *fds, uint32_t *count)
{
    errand->flags |= flag;
    fds[(*count)++] = fd;
}

static int send_start(struct lender_lease *lease, const struct lender_seat *seat, int ledger_fd,
                      uint64_t *ret_report_id)
{
    const struct cordon_cell *cell = lease->lending->cell;
    const struct lease_request *request = &seat->request;
    struct errand errand = {
        .magic = ERRAND_MAGIC,
        .version = ERRAND_VERSION,
        .kind = ERRAND_START,
        .worker = lease->worker,
        .without = cell->options.without,
        .policy = cell->policy,
        .start_timeout_ns = cell->options.start_ms * CLOCK_MS_NS,
        .deadline_max_ns = lease->lending->deadline_max_ns,
        .arena_base = request->arena_base,
        .arena_bytes = request->arena_bytes,
    };
    (void)snprintf(errand.library, sizeof errand.library, "%s", cell->options.library);
    int fds[10] = {seat->fds[FD_H], seat->fds[FD_W]};
    uint32_t count = 2;
    if (request->flags & LEASE_HAS_EVENT) {
        add_fd(&errand, ERRAND_HAS_EVENT, seat->fds[FD_EVENT], fds, &count);
    }
    if (request->flags & LEASE_HAS_ARENA) {
        add_fd(&errand, ERRAND_HAS_ARENA, seat->fds[FD_ARENA], fds, &count);
    }
    if (cell->reporting.card) {
        errand.report_id = reporting_new_id(&cell->reporting);
        add_fd(&errand, ERRAND_HAS_CARD, card_peek_fd(cell->reporting.card), fds, &count);
        add_fd(&errand, ERRAND_HAS_REPORTS, cell->reporting.directory, fds, &count);
    }
    add_fd(&errand, ERRAND_HAS_BELL, lease->lending->lender->bell, fds, &count);
    add_fd(&errand, ERRAND_HAS_PROVISION, lease->lending->provision_fd, fds, &count);
    add_fd(&errand, ERRAND_HAS_LEDGER, ledger_fd, fds, &count);
    *ret_report_id = errand.report_id;
    return keeper_client_try_send(lease->keeper, &errand, fds, count);
}

static int watch_keeper(struct lender_lease *lease)
{
    lease->keeper_source = (struct lender_source){.kind = LENDER_KEEPER, .owner = lease};
    lease->keeper_pidfd = fcntl(keeper_client_pidfd(lease->keeper), F_DUPFD_CLOEXEC, 3);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &lease->keeper_source};
    if (lease->keeper_pidfd < 0 ||
        epoll_ctl(lease->lending->lender->epoll, EPOLL_CTL_ADD, lease->keeper_pidfd, &event) < 0) {
        return -errno;
    }
    return 0;
}

static void free_lease(struct lender_lease *lease)
{
    if (lease_is_local(lease)) {
        lease_local_free(lease);
        free(lease);
        return;
    }
    if (lease->ledger) {
        (void)munmap(lease->ledger, LEASE_LEDGER_BYTES);
    }
    if (lease->h) {
        (void)munmap((void *)(uintptr_t)lease->h, LANE_H_BYTES_AT);
    }
    if (lease->keeper_pidfd >= 0) {
        /* Closing does not: others hold the same pidfd. */
        (void)epoll_ctl(lease->lending->lender->epoll, EPOLL_CTL_DEL, lease->keeper_pidfd, NULL);
    }
    fd_release(&lease->keeper_pidfd);
    keeper_share_give(lease->lending->cell->keeper, lease->keeper);
    free(lease);
}

static int start(struct lender_lease *lease, const struct lender_seat *seat,
                 uint64_t *ret_report_id, struct message *why)
{
    OWN_FD ledger_fd = -1;
    *ret_report_id = 0;
    if (!lease->lending->cell->keeper) {
        return lease_local_start(lease, seat, why);
    }
    int r = keeper_share_take(lease->lending->cell->keeper, &lease->keeper, why);
    if (r != 0) {
        return r;
    }
    r = open_ledger(lease, &ledger_fd);
    r = r < 0 ? r : map_h(lease, seat->fds[FD_H]);
    r = r < 0 ? r : watch_keeper(lease);
    r = r < 0 ? r : send_start(lease, seat, ledger_fd, ret_report_id);
    return r < 0 && r != -EAGAIN
               ? message_set(why, r, "a worker cannot be asked for: %s", strerror(-r))
               : r;
}

int lease_start(struct lender_seat *seat, struct lender_lease **ret_lease, uint64_t *ret_report_id,
                uint32_t *ret_retry_ms, struct message *why)
{
    struct lending *lending = seat->lending;
    bool is_probe = false;
    if (!lending->cell->keeper) {
        lease_local_note_deaths(lending);
    }
    int r = judge(seat, why);
    r = r != 0 ? r : ask(seat, &is_probe, ret_retry_ms, why);
    if (r != 0) {
        return r;
    }
    struct lender_lease *lease = calloc(1, sizeof *lease);
    if (!lease) {
        gate_lent_void(&lending->cell->gate, is_probe);
        return message_set(why, -ENOMEM, "not enough memory for a lease");
    }
    lease->lending = lending;
    lease->keeper_pidfd = -1;
    lease->worker = station_new_number();
    lease->is_probe = is_probe;
    lease->idle_since_ns = clock_now_ns();
    r = start(lease, seat, ret_report_id, why);
    if (r != 0) {
        gate_lent_void(&lending->cell->gate, is_probe);
        free_lease(lease);
        return r;
    }
    lease->seat = seat;
    lease->next = lending->lender->leases;
    lending->lender->leases = lease;
    lending->stats.lent++;
    *ret_lease = lease;
    return 0;
}

/* ---- End --------------------------------------------------------------------------------------- */

static void send_end(struct lender_lease *lease)
{
    if (lease_is_local(lease)) {
        lease_local_end(lease);
        return;
    }
    struct errand errand = {.magic = ERRAND_MAGIC,
                            .version = ERRAND_VERSION,
                            .kind = ERRAND_END,
                            .worker = lease->worker,
                            .reason = lease->reason};
    lease->end_wanted = keeper_client_try_send(lease->keeper, &errand, NULL, 0) == -EAGAIN;
}

void lease_end(struct lender_lease *lease, uint32_t reason)
{
    if (!lease->seat) {
        return;
    }
    lease->seat->lease = NULL;
    lease->seat = NULL;
    lease->reason = reason;
    send_end(lease);
}

/* What the breaker hears, once: the keeper's word. */
static void note_verdict(struct lender_lease *lease, uint32_t verdict)
{
    struct lending *lending = lease->lending;
    struct gate *gate = &lending->cell->gate;
    switch (verdict) {
    case LANE_DIED:
        lending->stats.crashes++;
        gate_lent_failed(gate, CORDON_CRASHED, lease->is_probe);
        break;
    case LANE_DEADLINE:
        lending->stats.timeouts++;
        gate_lent_failed(gate, CORDON_TIMEOUT, lease->is_probe);
        break;
    default:
        gate_lent_void(gate, lease->is_probe);
        break;
    }
    lease->is_probe = false;
    if (verdict == LANE_START_FAILED && !lease->start_known) {
        struct message reason;
        message_set_foreign(&reason, lease->ledger->death.text,
                            strnlen(lease->ledger->death.text, sizeof lease->ledger->death.text));
        starts_failed(lending->cell, &reason);
        lease->start_known = true;
    }
    lending->stats.recalled += verdict == LANE_RECALLED;
    lending->stats.lost += verdict == LANE_KEEPER_LOST;
}

/* Of the last calls that the client collected those of functions, as its records say. */
static uint32_t count_good(const struct lender_lease *lease, uint32_t collected, uint32_t fresh)
{
    uint32_t good = 0;
    for (uint32_t back = 0; back < fresh && back < GOOD_CALLS_MOST; back++) {
        const struct lane_record *record = &lease->h->record[lane_slot_of(collected - back)];
        /* Relaxed: a number that a client may write as it likes. */
        good += atomic_load_explicit(&record->function_id, memory_order_relaxed) < ENGINE_VERBS;
    }
    return good;
}

/* The numbers are the client's. */
static void look_at_calls(struct lender_lease *lease, uint64_t now_ns)
{
    uint32_t collected = atomic_load_explicit(&lease->h->collected, memory_order_acquire);
    uint32_t submitted = atomic_load_explicit(&lease->h->submitted, memory_order_acquire);
    uint32_t fresh = collected - lease->collected;
    bool moved = submitted != lease->submitted || collected != lease->collected;
    uint32_t good = count_good(lease, collected, fresh);
    lease->lending->stats.calls += fresh;
    if (good != 0) {
        gate_lent_good(&lease->lending->cell->gate, now_ns, good, lease->is_probe);
        lease->is_probe = false;
    }
    if (moved || submitted != collected) {
        lease->idle_since_ns = now_ns;
    }
    lease->submitted = submitted;
    lease->collected = collected;
}

static void note_start(struct lender_lease *lease)
{
    if (!lease->start_known &&
        atomic_load_explicit(&lease->ledger->loaded, memory_order_acquire) != 0) {
        lease->start_known = true;
        starts_succeeded(lease->lending->cell);
    }
}

static void forget(struct lender_lease *lease)
{
    struct lender_lease **link = &lease->lending->lender->leases;
    while (*link != lease) {
        link = &(*link)->next;
    }
    *link = lease->next;
    free_lease(lease);
}

static void take_back(struct lender_lease *lease, uint64_t now_ns)
{
    const struct lending *lending = lease->lending;
    bool idle = now_ns - lease->idle_since_ns >= lending->idle_ns;
    bool drained = lending->withdrawn && now_ns >= lending->drain_until_ns;
    if (lease->seat && (idle || drained)) {
        struct lender_seat *seat = lease->seat;
        uint32_t worker = lease->worker;
        lease_end(lease, ERRAND_RECALLED);
        seat_tell_end(seat, worker, LANE_RECALLED);
    }
}

struct cordon_place *lease_place(const struct cordon_lender *lender, uint32_t worker)
{
    const struct lender_lease *lease = lender->leases;
    while (lease && lease->worker != worker) {
        lease = lease->next;
    }
    if (!lease || !lease->place) {
        return NULL;
    }
    place_hold(lease->place);
    return lease->place;
}

bool lease_is_leaving(const struct lender_lease *lease)
{
    return lease->end_wanted || (lease_is_local(lease) && (!lease->seat || lease->ended_ns != 0));
}

bool lease_look(struct lender_lease *lease, uint64_t now_ns, bool keeper_lost)
{
    const struct lease_ledger *ledger = lease->ledger;
    look_at_calls(lease, now_ns);
    if (lease_is_local(lease)) {
        lease_local_look(lease, now_ns, keeper_lost);
    }
    note_start(lease);
    /* Pairs with the release in condemn_lent(): blame and death before verdict. */
    uint32_t verdict = atomic_load_explicit(&ledger->verdict, memory_order_acquire);
    bool gone = atomic_load_explicit(&ledger->gone, memory_order_acquire) != 0;
    if (keeper_lost && verdict == LANE_ALIVE) {
        verdict = LANE_KEEPER_LOST;
    }
    if (verdict != LANE_ALIVE && !lease->verdict_known) {
        lease->verdict_known = true;
        note_verdict(lease, verdict);
        if (lease->seat) {
            struct lender_seat *seat = lease->seat;
            seat->lease = NULL;
            lease->seat = NULL;
            seat_tell_end(seat, lease->worker, verdict);
        }
    }
    if (gone || keeper_lost) {
        forget(lease);
        return true;
    }
    if (lease->end_wanted) {
        send_end(lease);
    }
    take_back(lease, now_ns);
    return false;
}

uint32_t lease_count(const struct lending *lending, uint32_t *ret_ending)
{
    uint32_t count = 0;
    *ret_ending = 0;
    for (const struct lender_lease *lease = lending->lender->leases; lease; lease = lease->next) {
        count += lease->lending == lending;
        *ret_ending += lease->lending == lending && !lease->seat;
    }
    return count;
}
