/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/starts.h"

#include <sys/random.h>

#include "base/clock.h"
#include "cell/cell.h"
#include "cordon/outcome.h"

int starts_ask(struct cordon_cell *cell, uint32_t *ret_retry_ms, struct message *why)
{
    const struct starts *starts = &cell->starts;
    int r = 0;
    (void)pthread_mutex_lock(&cell->lock);
    /* No clock is read as long as nothing fails. */
    uint64_t wait_ns =
        starts->backoff.failures > 0 ? backoff_wait_ns(&starts->backoff, clock_now_ns()) : 0;
    if (wait_ns > 0) {
        *ret_retry_ms = (uint32_t)((wait_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS);
        r = message_set(why, CORDON_OPEN,
                        "%u start%s of a worker failed in a row: try again in %u ms; the last: %s",
                        starts->backoff.failures, starts->backoff.failures == 1 ? "" : "s",
                        *ret_retry_ms, starts->reason.text);
    }
    (void)pthread_mutex_unlock(&cell->lock);
    return r;
}

void starts_succeeded(struct cordon_cell *cell)
{
    (void)pthread_mutex_lock(&cell->lock);
    backoff_reset(&cell->starts.backoff);
    (void)pthread_mutex_unlock(&cell->lock);
}

void starts_failed(struct cordon_cell *cell, const struct message *reason)
{
    uint32_t chance = 0;
    (void)!getrandom(&chance, sizeof chance, GRND_NONBLOCK);
    (void)pthread_mutex_lock(&cell->lock);
    backoff_fail(&cell->starts.backoff, clock_now_ns(), chance);
    (void)message_set(&cell->starts.reason, 0, "%s", reason->text);
    (void)pthread_mutex_unlock(&cell->lock);
}
