/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/lender.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cell/cell.h"
#include "cell/fork_mark.h"

#define EVENTS_AT_ONCE    64
#define CLOSE_PATIENCE_NS (5 * CLOCK_SECOND_NS)
#define SEATS_FACTOR      4u
#define SEATS_MORE        16u

/* ---- Life -------------------------------------------------------------------------------------- */

static int watch(struct cordon_lender *lender, int fd, enum lender_source_kind kind,
                 struct lender_source *source)
{
    *source = (struct lender_source){.kind = kind, .owner = lender};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    return epoll_ctl(lender->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int open_fds(struct cordon_lender *lender)
{
    lender->epoll = epoll_create1(EPOLL_CLOEXEC);
    lender->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    lender->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (lender->epoll < 0 || lender->bell < 0 || lender->timer < 0) {
        return -errno;
    }
    int r = watch(lender, lender->bell, LENDER_BELL, &lender->bell_source);
    return r < 0 ? r : watch(lender, lender->timer, LENDER_TIMER, &lender->timer_source);
}

int lender_open(struct cordon_lender **ret_lender, struct message *why)
{
    int generation = fork_mark_make();
    struct cordon_lender *lender = calloc(1, sizeof *lender);
    if (!lender || generation < 0) {
        free(lender);
        return message_set(why, -ENOMEM, "not enough memory to lend anything");
    }
    *lender =
        (struct cordon_lender){.generation = generation, .epoll = -1, .bell = -1, .timer = -1};
    int r = open_fds(lender);
    if (r < 0) {
        lender_close(lender);
        return message_set(why, r, "no descriptors to lend anything: %s", strerror(-r));
    }
    *ret_lender = lender;
    return 0;
}

static void look_at_leases(struct cordon_lender *lender);

/* Their workers are gone before this returns, or the keeper is stuck. */
static void await_leases(struct cordon_lender *lender)
{
    uint64_t until_ns = clock_after_ns(CLOSE_PATIENCE_NS);
    while (lender->leases && clock_now_ns() < until_ns) {
        struct pollfd rings = {.fd = lender->bell, .events = POLLIN};
        (void)poll(&rings, 1, 10);
        look_at_leases(lender);
    }
}

void lender_close(struct cordon_lender *lender)
{
    if (!lender) {
        return;
    }
    bool ours = fork_mark_intact(lender->generation);
    while (ours && lender->seats) {
        seat_free(lender->seats);
    }
    if (ours) {
        await_leases(lender);
    }
    while (ours && lender->leases) {
        (void)lease_look(lender->leases, clock_now_ns(), true);
    }
    while (ours && lender->lendings) {
        struct lending *next = lender->lendings->next;
        lending_free(lender->lendings);
        lender->lendings = next;
    }
    fd_release(&lender->epoll);
    fd_release(&lender->bell);
    fd_release(&lender->timer);
    free(lender);
}

struct lending *lender_find(const struct cordon_lender *lender, const struct cordon_cell *cell)
{
    struct lending *found = NULL;
    for (struct lending *lending = lender->lendings; lending; lending = lending->next) {
        /* One that is not lent any more may have stood at the same address. */
        if (lending->cell == cell && (!found || found->withdrawn)) {
            found = lending;
        }
    }
    return found;
}

int lender_offer(struct cordon_lender *lender, struct cordon_cell *cell,
                 const struct cordon_lend_options *options, struct message *why)
{
    struct lending *lending = lender_find(lender, cell);
    if (lending && !lending->withdrawn) {
        return message_set(why, -EEXIST, "the cell is lent already");
    }
    int r = lending_new(lender, cell, options, &lending, why);
    if (r == 0) {
        lending->next = lender->lendings;
        lender->lendings = lending;
    }
    return r;
}

/* ---- The clock --------------------------------------------------------------------------------- */

static bool any_waits(const struct cordon_lender *lender)
{
    for (const struct lender_seat *seat = lender->seats; seat; seat = seat->next) {
        if (seat->waiting) {
            return true;
        }
    }
    for (const struct lender_lease *lease = lender->leases; lease; lease = lease->next) {
        if (lease_is_leaving(lease)) {
            return true;
        }
    }
    return false;
}

/* No tick where nothing is lent; whoever is busy does not put it off. */
static void set_timer(struct cordon_lender *lender)
{
    uint64_t wait_ns = any_waits(lender) ? LENDER_RETRY_NS : lender->leases ? LENDER_LOOK_NS : 0;
    uint64_t now_ns = clock_now_ns();
    if (wait_ns == 0 || (lender->due_ns > now_ns && lender->due_ns <= now_ns + wait_ns)) {
        return;
    }
    lender->due_ns = now_ns + wait_ns;
    struct itimerspec next = {.it_value = clock_timespec(lender->due_ns)};
    (void)timerfd_settime(lender->timer, TFD_TIMER_ABSTIME, &next, NULL);
}

/* ---- Looks ------------------------------------------------------------------------------------- */

static void drain(int fd)
{
    uint64_t ignored;
    (void)!read(fd, &ignored, sizeof ignored);
}

static void look_at_leases(struct cordon_lender *lender)
{
    uint64_t now_ns = clock_now_ns();
    drain(lender->bell);
    for (struct lender_lease *lease = lender->leases; lease;) {
        struct lender_lease *next = lease->next;
        (void)lease_look(lease, now_ns, false);
        lease = next;
    }
}

static bool is_followed(const struct lending *lending)
{
    const struct lending *other = lending->lender->lendings;
    while (other && other->with != lending) {
        other = other->next;
    }
    return other != NULL;
}

/* What is lent no more, and nobody has any more, is forgotten: its cell may be closed already. */
static void sweep_lendings(struct cordon_lender *lender)
{
    struct lending **link = &lender->lendings;
    while (*link) {
        struct lending *lending = *link;
        uint32_t ending;
        if (lending->withdrawn && lending->stats.seats == 0 && !lending->reviving &&
            lease_count(lending, &ending) == 0 && !is_followed(lending)) {
            *link = lending->next;
            lending_free(lending);
        } else {
            link = &lending->next;
        }
    }
}

static void look_at_rest(struct cordon_lender *lender)
{
    uint64_t now_ns = clock_now_ns();
    for (struct lender_seat *seat = lender->seats; seat;) {
        struct lender_seat *next = seat->next;
        seat_retry(seat, now_ns);
        if (seat->broken) {
            seat_free(seat);
        }
        seat = next;
    }
    for (struct lending *lending = lender->lendings; lending; lending = lending->next) {
        lending_tell(lending);
    }
    sweep_lendings(lender);
}

static void handle(struct cordon_lender *lender, const struct lender_source *source)
{
    switch (source->kind) {
    case LENDER_BELL:
        look_at_leases(lender);
        break;
    case LENDER_TIMER:
        drain(lender->timer);
        look_at_leases(lender);
        break;
    case LENDER_SEAT:
        seat_listen(source->owner);
        break;
    case LENDER_PROCESS:
        ((struct lender_seat *)source->owner)->broken = true;
        break;
    case LENDER_KEEPER:
        (void)lease_look(source->owner, clock_now_ns(), true);
        break;
    }
}

/* One at a time: what one event frees, another may be about. */
void lender_dispatch(struct cordon_lender *lender)
{
    for (int i = 0; i < EVENTS_AT_ONCE; i++) {
        struct epoll_event event;
        if (epoll_wait(lender->epoll, &event, 1, 0) != 1) {
            break;
        }
        handle(lender, event.data.ptr);
        look_at_rest(lender);
    }
    set_timer(lender);
}

/* ---- Clients ----------------------------------------------------------------------------------- */

static struct lending *present(struct lending *lending)
{
    while (lending && lending->with) {
        lending = lending->with;
    }
    return lending;
}

int lender_attach(struct cordon_lender *lender, struct cordon_cell *cell, int client_pidfd,
                  int *ret_client_fd, struct message *why)
{
    struct lending *lending = present(lender_find(lender, cell));
    if (!lending || lending->withdrawn) {
        return message_set(why, -ENOENT, "the cell is not lent");
    }
    if (lending->stats.seats >= lending->leases_max * SEATS_FACTOR + SEATS_MORE) {
        return message_set(why, -EAGAIN, "%u clients have a seat already", lending->stats.seats);
    }
    return seat_new(lending, client_pidfd, ret_client_fd, why);
}

int lender_replace(struct cordon_lender *lender, struct cordon_cell *cell, struct cordon_cell *with,
                   uint64_t drain_ms, struct message *why)
{
    struct lending *from = lender_find(lender, cell);
    struct lending *to = with ? present(lender_find(lender, with)) : NULL;
    if (!from || (with && (!to || to == from))) {
        return message_set(why, -ENOENT, "the cell is not lent");
    }
    from->with = to;
    from->withdrawn = true;
    from->drain_until_ns = drain_ms < CLOCK_NEVER / 2 / CLOCK_MS_NS
                               ? clock_after_ns(drain_ms * CLOCK_MS_NS)
                               : CLOCK_NEVER;
    from->epoch++;
    for (struct lender_seat *seat = lender->seats; seat && to; seat = seat->next) {
        if (seat->lending == from) {
            seat_move(seat, to);
        }
    }
    lending_tell(from);
    look_at_rest(lender);
    set_timer(lender);
    return 0;
}

void lender_stats(const struct lending *lending, struct cordon_lend_stats *ret_stats)
{
    uint32_t ending;
    *ret_stats = lending->stats;
    ret_stats->leases = lease_count(lending, &ending);
    for (const struct lender_lease *lease = lending->lender->leases; lease; lease = lease->next) {
        uint32_t open = lease->submitted - lease->collected;
        ret_stats->in_flight += lease->lending == lending && open <= LANE_SLOTS ? open : 0;
    }
}
