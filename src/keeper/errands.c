/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/errands.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/passing.h"
#include "lane/layout.h"

#define HEAD_BYTES  offsetof(struct errand, policy)
#define FIXED_BYTES offsetof(struct errand, library)

/* Each of these brings one descriptor, in this order. */
#define ERRAND_FDS                                                                                 \
    (uint32_t)(ERRAND_HAS_EVENT | ERRAND_HAS_ARENA | ERRAND_HAS_CARD | ERRAND_HAS_REPORTS |        \
               ERRAND_HAS_BELL | ERRAND_HAS_RECORDING | ERRAND_HAS_PROVISION | ERRAND_HAS_LEDGER)

static uint32_t fds_wanted(const struct errand *errand)
{
    return 2u + (uint32_t)__builtin_popcount(errand->flags & ERRAND_FDS);
}

static bool arena_fits(const struct errand *errand)
{
    if (!(errand->flags & ERRAND_HAS_ARENA)) {
        return errand->arena_base == 0 && errand->arena_bytes == 0;
    }
    return errand->arena_base != 0 && errand->arena_bytes != 0 &&
           errand->arena_base % LANE_PAGE == 0 && errand->arena_bytes % LANE_PAGE == 0 &&
           errand->arena_bytes <= LIMIT_ARENA_BYTES &&
           errand->arena_base <= UINT64_MAX - errand->arena_bytes;
}

/* A lender has a bell in any case; another host one for events. */
static bool bell_fits(const struct errand *errand)
{
    bool lent = (errand->flags & ERRAND_HAS_LEDGER) != 0;
    bool wanted = lent || (errand->flags & ERRAND_HAS_EVENT) != 0;
    return wanted == ((errand->flags & ERRAND_HAS_BELL) != 0) &&
           lent == (errand->deadline_max_ns != 0) && errand->deadline_max_ns <= UINT64_MAX / 2;
}

static bool start_fits(const struct errand_letter *letter)
{
    const struct errand *errand = &letter->errand;
    return (errand->flags & ~ERRAND_FDS) == 0 && bell_fits(errand) &&
           (!(errand->flags & ERRAND_HAS_RECORDING) || (errand->flags & ERRAND_HAS_REPORTS)) &&
           (errand->report_id != 0) == ((errand->flags & ERRAND_HAS_REPORTS) != 0) &&
           policy_fits(&errand->policy) && arena_fits(errand) &&
           letter->fd_count == fds_wanted(errand);
}

static bool fits(const struct errand_letter *letter, size_t bytes)
{
    const struct errand *errand = &letter->errand;
    if (bytes < HEAD_BYTES || errand->magic != ERRAND_MAGIC || errand->version != ERRAND_VERSION) {
        return false;
    }
    switch (errand->kind) {
    case ERRAND_START:
        return bytes > FIXED_BYTES && memchr(errand->library, '\0', bytes - FIXED_BYTES) &&
               start_fits(letter);
    case ERRAND_END:
        return letter->fd_count == 0 && errand->reason < ERRAND_REASON_COUNT;
    case ERRAND_WATCH:
    case ERRAND_MEASURE:
        return letter->fd_count == 0;
    default:
        return false;
    }
}

int errand_letter_receive(struct errand_letter *letter, int socket)
{
    ssize_t length = passing_receive(socket, &letter->errand, sizeof letter->errand, letter->fds,
                                     ERRAND_FDS_MAX, &letter->fd_count);
    if (length <= 0) {
        return length == 0 ? -EPIPE : length == -EMSGSIZE ? -EBADMSG : (int)length;
    }
    if (!fits(letter, (size_t)length)) {
        errand_letter_deinit(letter);
        return -EBADMSG;
    }
    return 0;
}

void errand_letter_deinit(struct errand_letter *letter)
{
    for (uint32_t i = 0; i < letter->fd_count; i++) {
        fd_release(&letter->fds[i]);
    }
    letter->fd_count = 0;
}

/* Where each descriptor of a letter belongs. NULL: it did not come. */
static int *next_fd(struct errand_letter *letter, uint32_t flag, uint32_t *next)
{
    return letter->errand.flags & flag ? &letter->fds[(*next)++] : NULL;
}

struct ward_fds errand_letter_fds(struct errand_letter *letter)
{
    uint32_t next = 2;
    int *event = next_fd(letter, ERRAND_HAS_EVENT, &next);
    int *arena = next_fd(letter, ERRAND_HAS_ARENA, &next);
    int *card = next_fd(letter, ERRAND_HAS_CARD, &next);
    int *reports = next_fd(letter, ERRAND_HAS_REPORTS, &next);
    int *bell = next_fd(letter, ERRAND_HAS_BELL, &next);
    int *recording = next_fd(letter, ERRAND_HAS_RECORDING, &next);
    int *provision = next_fd(letter, ERRAND_HAS_PROVISION, &next);
    int *ledger = next_fd(letter, ERRAND_HAS_LEDGER, &next);
    return (struct ward_fds){.h = letter->fds[0],
                             .w = letter->fds[1],
                             .event = event ? *event : -1,
                             .arena = arena ? *arena : -1,
                             .card = card ? *card : -1,
                             .reports = reports ? *reports : -1,
                             .bell = bell ? *bell : -1,
                             .recording = recording ? *recording : -1,
                             .provision = provision ? *provision : -1,
                             .ledger = ledger ? *ledger : -1};
}

static void give_back(int *place, int fd)
{
    if (place) {
        *place = fd;
    }
}

void errand_letter_return_fds(struct errand_letter *letter, const struct ward_fds *fds)
{
    uint32_t next = 2;
    letter->fds[0] = fds->h;
    give_back(next_fd(letter, ERRAND_HAS_EVENT, &next), fds->event);
    give_back(next_fd(letter, ERRAND_HAS_ARENA, &next), fds->arena);
    give_back(next_fd(letter, ERRAND_HAS_CARD, &next), fds->card);
    give_back(next_fd(letter, ERRAND_HAS_REPORTS, &next), fds->reports);
    give_back(next_fd(letter, ERRAND_HAS_BELL, &next), fds->bell);
    give_back(next_fd(letter, ERRAND_HAS_RECORDING, &next), fds->recording);
    give_back(next_fd(letter, ERRAND_HAS_PROVISION, &next), fds->provision);
    give_back(next_fd(letter, ERRAND_HAS_LEDGER, &next), fds->ledger);
}
