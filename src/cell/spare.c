/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/spare.h"

#include "cell/cell.h"
#include "cell/session.h"
#include "cell/station_internal.h"

static struct recruit *take_oldest(struct cordon_cell *cell)
{
    struct spares *spares = &cell->spares;
    struct recruit *oldest = NULL;
    (void)pthread_mutex_lock(&cell->lock);
    if (spares->count > 0) {
        oldest = spares->ready[0];
        spares->count--;
        for (uint32_t i = 0; i < spares->count; i++) {
            spares->ready[i] = spares->ready[i + 1];
        }
    }
    (void)pthread_mutex_unlock(&cell->lock);
    return oldest;
}

struct recruit *spare_take(struct cordon_cell *cell)
{
    struct recruit *spare;
    while ((spare = take_oldest(cell))) {
        (void)station_check(spare->station); /* nobody else tells of the keeper's death */
        if (!station_broken(spare->station)) {
            return spare;
        }
        recruit_free(spare, false);
    }
    return NULL;
}

void spare_nudge(struct cordon_cell *cell)
{
    (void)pthread_mutex_lock(&cell->lock);
    if (cell->spares.count > 0) {
        station_nudge(cell->spares.ready[0]->station);
    }
    (void)pthread_mutex_unlock(&cell->lock);
}

static bool is_wanted(const struct cordon_cell *cell)
{
    uint32_t wanted = cell->options.spares == CORDON_NONE ? 0 : cell->options.spares;
    return cell->spares.count + cell->spares.ordering < wanted &&
           atomic_load_explicit(&cell->state, memory_order_acquire) == CELL_OPEN;
}

static bool take_place(struct cordon_cell *cell)
{
    (void)pthread_mutex_lock(&cell->lock);
    bool wanted = is_wanted(cell);
    cell->spares.ordering += wanted;
    (void)pthread_mutex_unlock(&cell->lock);
    return wanted;
}

static void give_place(struct cordon_cell *cell, struct recruit *spare)
{
    struct spares *spares = &cell->spares;
    (void)pthread_mutex_lock(&cell->lock);
    spares->ordering--;
    if (spare) {
        spares->ready[spares->count++] = spare;
    }
    (void)pthread_mutex_unlock(&cell->lock);
}

/* The functions that the session has bound: it, or one like it, will call them again. */
static uint32_t bound_functions(const struct cordon_session *session,
                                const struct cordon_function **ret_functions)
{
    struct cordon_cell *cell = session->cell;
    uint32_t count = 0;
    (void)pthread_mutex_lock(&cell->lock);
    for (uint32_t id = 0; id < cell->function_count && count < RECRUIT_BINDS; id++) {
        if (session->bound[id / 64] >> (id % 64) & 1) {
            ret_functions[count++] = cell->functions[id];
        }
    }
    (void)pthread_mutex_unlock(&cell->lock);
    return count;
}

void spare_refill(struct cordon_session *session)
{
    struct cordon_cell *cell = session->cell;
    const struct cordon_function *functions[RECRUIT_BINDS];
    struct station_options options;
    while (take_place(cell)) {
        struct recruit *spare = NULL;
        uint32_t count = bound_functions(session, functions);
        session_station_options(session, &options);
        int r = recruit_new(cell, &options, functions, count, &spare, NULL);
        give_place(cell, spare);
        if (r != 0) {
            break;
        }
    }
}

void spare_end(struct cordon_cell *cell)
{
    struct recruit *spare;
    while ((spare = take_oldest(cell))) {
        recruit_free(spare, true);
    }
}
