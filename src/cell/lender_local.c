/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Leases whose worker is a thread of this process (level thread), or a place where its client serves itself (level
 * inline). Who has them is this process, too: it is believed
 * what stands in H, as it would be in any lane of the host's own. The thread tells of itself there what a keeper would
 * tell in the ledger; this file carries it over, for the rest of the lender not to know the difference.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/cell.h"
#include "cell/lender.h"
#include "cell/local_worker.h"
#include "cell/place.h"
#include "cordon/outcome.h"
#include "library/library.h"

/* A thread that has not come back so long after its verdict is left behind. */
#define PATIENCE_NS (20 * CLOCK_MS_NS)

#define FIRST_FD 3

static void *resolve(void *context, const char *symbol)
{
    return library_find(context, symbol);
}

static int map_provision(const struct lending *lending, struct provision *provision,
                         struct message *why)
{
    int fd = fcntl(lending->provision_fd, F_DUPFD_CLOEXEC, FIRST_FD);
    return fd < 0
               ? message_set(why, -errno, "no descriptor for a worker thread: %s", strerror(errno))
               : provision_map(provision, fd, why);
}

static int start_place(struct lender_lease *lease, const struct lender_seat *seat,
                       struct message *why)
{
    struct provision provision;
    struct place_options options = {
        .lane = lease->lane,
        .resolve_context = lease->lending->cell->library,
        .resolve = resolve,
        .arena = {seat->request.arena_base, seat->request.arena_bytes},
        .provision = &provision,
    };
    int r = map_provision(lease->lending, &provision, why);
    if (r < 0) {
        return r;
    }
    r = place_new(&options, &lease->place, why);
    provision_forget(&provision);
    if (r == 0) {
        lease->lane = NULL;
        atomic_store_explicit(&lease->ledger->loaded, 1, memory_order_relaxed);
    }
    return r;
}

static int start_thread(struct lender_lease *lease, const struct lender_seat *seat,
                        struct message *why)
{
    struct cordon_cell *cell = lease->lending->cell;
    struct local_worker_options options = {
        .lane = lease->lane,
        .resolve_context = cell->library,
        .resolve = resolve,
        .arena = {seat->request.arena_base, seat->request.arena_bytes},
    };
    lane_peek_sizes(lease->lane, &options.h_bytes, &options.w_bytes);
    int r = map_provision(lease->lending, &options.provision, why);
    if (r < 0) {
        return r;
    }
    r = local_worker_start(&options, &lease->local, why);
    if (r < 0) {
        provision_forget(&options.provision);
    }
    return r == -EAGAIN ? CORDON_BUSY : r; /* too many threads never came back */
}

int lease_local_start(struct lender_lease *lease, const struct lender_seat *seat,
                      struct message *why)
{
    lease->ledger = calloc(1, sizeof *lease->ledger);
    if (!lease->ledger) {
        return message_set(why, -ENOMEM, "not enough memory for a lease");
    }
    int r = lane_open_again(seat->fds[0], seat->fds[1], seat->fds[2], lease->lending->lender->bell,
                            &lease->lane);
    if (r < 0) {
        return message_set(why, r, "the memories that came along are no lane's");
    }
    lease->h = lane_peek_h(lease->lane);
    r = lease->lending->cell->options.level == CORDON_LEVEL_INLINE ? start_place(lease, seat, why)
                                                                   : start_thread(lease, seat, why);
    if (r != 0) {
        lease_local_free(lease);
    }
    return r;
}

void lease_local_end(struct lender_lease *lease)
{
    if (lease->place) {
        place_condemn(lease->place);
    } else {
        (void)lane_condemn(lease->lane, LANE_CLOSED, 0);
    }
}

void lease_local_note_deaths(const struct lending *lending)
{
    for (const struct lender_lease *lease = lending->lender->leases; lease; lease = lease->next) {
        if (lease->lending == lending && lease->h &&
            atomic_load_explicit(&lease->h->verdict, memory_order_acquire) == LANE_DIED) {
            cell_note_outcome(lending->cell, CORDON_CRASHED);
        }
    }
}

/* The verdict, with what belongs to it, once its giver has written all of it; @now: as much as there is. */
static void carry_verdict(struct lender_lease *lease, bool now)
{
    struct lease_ledger *ledger = lease->ledger;
    uint32_t verdict = atomic_load_explicit(&lease->h->verdict, memory_order_acquire);
    /* Pairs with the release in lane_verdict_give(): blame and death before final. */
    uint32_t final = atomic_load_explicit(&lease->h->verdict_final, memory_order_acquire);
    if (verdict == LANE_ALIVE || (final == 0 && !now) ||
        atomic_load_explicit(&ledger->verdict, memory_order_relaxed) != LANE_ALIVE) {
        return;
    }
    if (final & LANE_FINAL_DEATH) {
        ledger->death = lease->h->death;
        ledger->death.text[sizeof ledger->death.text - 1] = '\0';
    }
    if (verdict == LANE_DIED) {
        cell_note_outcome(lease->lending->cell, CORDON_CRASHED);
    }
    atomic_store_explicit(&ledger->verdict, verdict, memory_order_relaxed);
}

/* The thread is joined, or left behind with its lane. A place is there as long as somebody holds it. */
static void stop(struct lender_lease *lease)
{
    carry_verdict(lease, true);
    if (lease->local && !local_worker_stop(lease->local, 0)) {
        lease->lane = NULL; /* the runaway thread owns it now */
    }
    lease->local = NULL;
    lease->h = NULL;
    place_drop(lease->place);
    lease->place = NULL;
    atomic_store_explicit(&lease->ledger->gone, 1, memory_order_relaxed);
}

void lease_local_look(struct lender_lease *lease, uint64_t now_ns, bool last)
{
    if (!lease->h) {
        return;
    }
    if (last) {
        lease_local_end(lease);
    }
    carry_verdict(lease, false);
    if (lease->local && local_worker_has_begun(lease->local)) {
        atomic_store_explicit(&lease->ledger->loaded, 1, memory_order_relaxed);
    }
    if (atomic_load_explicit(&lease->h->verdict, memory_order_acquire) == LANE_ALIVE) {
        return;
    }
    lease->ended_ns = lease->ended_ns ? lease->ended_ns : now_ns;
    if (last || lease->place || local_worker_has_ended(lease->local) ||
        now_ns - lease->ended_ns >= PATIENCE_NS) {
        stop(lease);
    }
}

void lease_local_free(struct lender_lease *lease)
{
    place_drop(lease->place);
    lease->place = NULL;
    lane_close(lease->lane);
    lease->lane = NULL;
    lease->h = NULL;
    free(lease->ledger);
    lease->ledger = NULL;
}
