/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/memfd.h"
#include "cell/cell.h"
#include "cell/lender.h"
#include "cell/prospectus.h"
#include "lane/verdict.h"

static int own_options(struct lending *lending, const struct cordon_lend_options *given,
                       struct message *why)
{
    struct cordon_lend_options options = {.size = sizeof options};
    if (given && (given->size > sizeof options || given->size < sizeof(size_t))) {
        return message_set(why, -EINVAL, "options are of another version: size is %zu, not %zu",
                           given->size, sizeof options);
    }
    if (given) {
        memcpy(&options, given, given->size);
    }
    uint64_t idle_ms = options.lease_idle_ms ? options.lease_idle_ms : LIMIT_LEASE_IDLE_MS;
    uint64_t most_ms = options.deadline_max_ms ? options.deadline_max_ms : LIMIT_LEASE_DEADLINE_MS;
    lending->leases_max = options.leases ? options.leases : lending->cell->options.workers;
    if (lending->leases_max > LIMIT_WORKERS_MAX) {
        return message_set(why, -E2BIG, "leases is %u, the limit is %u", lending->leases_max,
                           LIMIT_WORKERS_MAX);
    }
    if (idle_ms > CLOCK_NEVER / 4 / CLOCK_MS_NS || most_ms > CLOCK_NEVER / 4 / CLOCK_MS_NS) {
        return message_set(why, -EINVAL, "lease_idle_ms and deadline_max_ms are %llu at most",
                           (unsigned long long)(CLOCK_NEVER / 4 / CLOCK_MS_NS));
    }
    lending->idle_ns = idle_ms * CLOCK_MS_NS;
    lending->deadline_max_ns = most_ms * CLOCK_MS_NS;
    return 0;
}

/* Nobody but this process can ever write it. */
static int make_board(struct lending *lending)
{
    int r = memfd_new("cordon-board", LEASE_BOARD_BYTES, F_SEAL_SHRINK | F_SEAL_GROW,
                      &lending->board_fd);
    if (r < 0) {
        return r;
    }
    void *memory =
        mmap(NULL, LEASE_BOARD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, lending->board_fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    lending->board = memory;
    (void)madvise(memory, LEASE_BOARD_BYTES, MADV_DONTFORK);
    lending->board->magic = LEASE_BOARD_MAGIC;
    lending->board->version = LEASE_VERSION;
    return memfd_seal(lending->board_fd, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
}

/* A thread, or a place, serves whom its process believes: itself. A cell of a daemon's is of level process. */
static bool can_be_lent(const struct cordon_cell *cell, const struct cordon_lend_options *given)
{
    bool here = given && given->size >= sizeof *given && given->here;
    return cell->keeper || (here && cell->options.level != CORDON_LEVEL_PROCESS);
}

int lending_new(struct cordon_lender *lender, struct cordon_cell *cell,
                const struct cordon_lend_options *options, struct lending **ret_lending,
                struct message *why)
{
    if (!can_be_lent(cell, options)) {
        return message_set(why, -ENOTSUP,
                           "only workers of this process's own cells of level process can be lent, "
                           "those of level thread and inline within it (here)");
    }
    struct lending *lending = calloc(1, sizeof *lending);
    if (!lending) {
        return message_set(why, -ENOMEM, "not enough memory to lend a cell");
    }
    *lending = (struct lending){.lender = lender,
                                .cell = cell,
                                .board_fd = -1,
                                .plans_fd = -1,
                                .provision_fd = -1,
                                .epoch = 1};
    int r = own_options(lending, options, why);
    r = r < 0 ? r : cell_add_interface(cell, why);
    r = r < 0 ? r : prospectus_make(cell, false, &lending->plans_fd, why);
    r = r < 0 ? r : prospectus_make(cell, true, &lending->provision_fd, why);
    if (r == 0) {
        r = make_board(lending);
        if (r < 0) {
            (void)message_set(why, r, "no memory for what clients see: %s", strerror(-r));
        }
    }
    if (r < 0) {
        lending_free(lending);
        return r;
    }
    lending_tell(lending);
    *ret_lending = lending;
    return 0;
}

static void end_reviver(struct lending *lending)
{
    if (lending->reviving) {
        (void)pthread_join(lending->reviver, NULL);
        lending->reviving = false;
    }
}

void lending_free(struct lending *lending)
{
    end_reviver(lending);
    if (lending->board) {
        (void)munmap(lending->board, LEASE_BOARD_BYTES);
    }
    fd_release(&lending->board_fd);
    fd_release(&lending->plans_fd);
    fd_release(&lending->provision_fd);
    free(lending);
}

void lending_tell(struct lending *lending)
{
    uint64_t until_ns = 0;
    enum lease_weather weather = LEASE_CALM;
    if (lending->withdrawn) {
        weather = lending->with ? LEASE_CALM : LEASE_WITHDRAWN; /* the cell may be closed */
    } else if (cell_usable(lending->cell, NULL) != 0) {
        weather = LEASE_WITHDRAWN; /* poisoned: who asks for another worker is told so */
    } else {
        switch (gate_lent_state(&lending->cell->gate, clock_now_ns(), &until_ns)) {
        case BREAKER_OPEN:
            weather = LEASE_BREAKER_OPEN;
            break;
        case BREAKER_HALF_OPEN:
            weather = LEASE_BREAKER_HALF_OPEN;
            break;
        default:
            break;
        }
    }
    uint32_t now = lease_now(lending->epoch, weather);
    struct lease_board *board = lending->board;
    /* Relaxed: published by `now`, which alone tells that there is a time. */
    atomic_store_explicit(&board->until_ns, until_ns, memory_order_relaxed);
    if (atomic_load_explicit(&board->now, memory_order_relaxed) != now) {
        atomic_store_explicit(&board->now, now, memory_order_release);
    }
}

/* ---- A keeper that died ------------------------------------------------------------------------ */

static void *revive(void *context)
{
    struct lending *lending = context;
    struct keeper_client *client = NULL;
    int r = keeper_share_take(lending->cell->keeper, &client, &lending->revival);
    if (r == 0) {
        keeper_share_give(lending->cell->keeper, client);
        lending->revival.text[0] = '\0';
    }
    atomic_store_explicit(&lending->revived, true, memory_order_release);
    lane_ring_event(lending->lender->bell);
    return NULL;
}

/* Signals are the host's affair, not this thread's. */
static int start_reviver(struct lending *lending)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    atomic_store_explicit(&lending->revived, false, memory_order_relaxed);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&lending->reviver, NULL, revive, lending);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    lending->reviving = r == 0;
    return -r;
}

bool lending_has_keeper(struct lending *lending, struct message *why, bool *ret_failed)
{
    *ret_failed = false;
    if (!lending->cell->keeper) {
        return true; /* its workers are threads */
    }
    if (lending->reviving) {
        if (!atomic_load_explicit(&lending->revived, memory_order_acquire)) {
            return false;
        }
        end_reviver(lending);
        if (lending->revival.text[0]) {
            *ret_failed = true;
            (void)message_set(why, 0, "%s", lending->revival.text);
            return false;
        }
    }
    if (keeper_share_alive(lending->cell->keeper)) {
        return true;
    }
    int r = start_reviver(lending);
    if (r < 0) {
        *ret_failed = true;
        (void)message_set(why, r, "no thread to start a keeper: %s", strerror(-r));
    }
    return false;
}
