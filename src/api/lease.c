/* SPDX-License-Identifier: Apache-2.0 */
#include "cordon/lease.h"

#include <errno.h>

#include "api/text.h"
#include "cell/cell.h"
#include "cell/fork_mark.h"
#include "cell/lender.h"
#include "cell/place.h"
#include "cordon/attach.h"

static int usable(const struct cordon_lender *lender, const void *other, struct message *why)
{
    if (!lender || !other) {
        return message_set(why, -EINVAL, "lender, cell and outputs must not be NULL");
    }
    return fork_mark_intact(lender->generation)
               ? 0
               : message_set(why, -ECHILD, "a lender does not survive fork()");
}

int cordon_lender_open(struct cordon_lender **ret_lender, struct cordon_error *ret_error)
{
    return ret_lender ? lender_open(ret_lender, text_of(ret_error))
                      : message_set(text_of(ret_error), -EINVAL, "ret_lender must not be NULL");
}

void cordon_lender_close(struct cordon_lender *lender)
{
    lender_close(lender);
}

int cordon_lender_offer(struct cordon_lender *lender, struct cordon_cell *cell,
                        const struct cordon_lend_options *options, struct cordon_error *ret_error)
{
    int r = usable(lender, cell, text_of(ret_error));
    r = r < 0 ? r : outcome_errno(cell_usable(cell, text_of(ret_error)));
    return r < 0 ? r : lender_offer(lender, cell, options, text_of(ret_error));
}

int cordon_lender_attach(struct cordon_lender *lender, struct cordon_cell *cell, int client_pidfd,
                         int *ret_client_fd, struct cordon_error *ret_error)
{
    int r = usable(lender, ret_client_fd, text_of(ret_error));
    return r < 0 ? r : lender_attach(lender, cell, client_pidfd, ret_client_fd, text_of(ret_error));
}

int cordon_lender_fd(const struct cordon_lender *lender)
{
    return lender->epoll;
}

int cordon_lender_dispatch(struct cordon_lender *lender)
{
    int r = usable(lender, lender, NULL);
    if (r == 0) {
        lender_dispatch(lender);
    }
    return r;
}

int cordon_lender_replace(struct cordon_lender *lender, struct cordon_cell *cell,
                          struct cordon_cell *with, uint64_t drain_ms,
                          struct cordon_error *ret_error)
{
    int r = usable(lender, cell, text_of(ret_error));
    return r < 0 ? r : lender_replace(lender, cell, with, drain_ms, text_of(ret_error));
}

struct cordon_place *cordon_lender_place(struct cordon_lender *lender, uint32_t worker)
{
    return usable(lender, lender, NULL) == 0 ? lease_place(lender, worker) : NULL;
}

void cordon_place_serve(struct cordon_place *place, void (*relay)(void *context), void *context)
{
    place_serve(place, relay, context);
}

void cordon_place_leave(struct cordon_place *place)
{
    place_leave(place);
}

uint32_t cordon_lender_leases(const struct cordon_lender *lender, const struct cordon_cell *cell)
{
    const struct lending *lending =
        usable(lender, cell, NULL) == 0 ? lender_find(lender, cell) : NULL;
    uint32_t ending;
    return lending ? lease_count(lending, &ending) + lending->reviving : 0;
}

bool cordon_lender_stats(const struct cordon_lender *lender, const struct cordon_cell *cell,
                         struct cordon_lend_stats *ret_stats)
{
    const struct lending *lending =
        usable(lender, cell, NULL) == 0 ? lender_find(lender, cell) : NULL;
    if (lending) {
        lender_stats(lending, ret_stats);
    }
    return lending != NULL;
}

int cordon_attach(const struct cordon_attach_options *options, struct cordon_cell **ret_cell,
                  struct cordon_error *ret_error)
{
    if (!options || !ret_cell) {
        return message_set(text_of(ret_error), -EINVAL, "options and ret_cell must not be NULL");
    }
    return cell_attach(options, ret_cell, text_of(ret_error));
}
