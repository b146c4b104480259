/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/violation.h"

#include <string.h>

static uint32_t slot_of(uint32_t number)
{
    return (number - 1u) % LANE_VIOLATIONS;
}

static void put_text(char *to, const char *from)
{
    size_t length = strnlen(from, LANE_GRANT_BYTES - 1);
    memcpy(to, from, length);
    memset(to + length, 0, LANE_GRANT_BYTES - length);
}

uint32_t lane_violation_list(struct lane_host_page *h, const struct lane_act *act)
{
    /* Relaxed: nobody else writes it. 0 is no number, so the count never wraps to it. */
    uint32_t number = atomic_load_explicit(&h->violations, memory_order_relaxed) + 1u;
    number = number == 0 ? 1 : number;
    struct lane_violation *record = &h->violation[slot_of(number)];
    atomic_store_explicit(&record->number, 0, memory_order_relaxed);
    /* Pairs with the acquire fence of lane_violation_read(): who sees new bytes sees 0, or later. */
    atomic_thread_fence(memory_order_release);
    record->seq = act->seq;
    record->system_call = act->system_call;
    record->error = act->error;
    put_text(record->act, act->act);
    put_text(record->grant, act->grant);
    /* Both pair with acquires of the host: bytes before number, all before the count. */
    atomic_store_explicit(&record->number, number, memory_order_release);
    atomic_store_explicit(&h->violations, number, memory_order_release);
    return number;
}

bool lane_violation_read(const struct lane_host_page *h, uint32_t number, struct lane_act *ret_act)
{
    const struct lane_violation *record = &h->violation[slot_of(number)];
    if (number == 0 || atomic_load_explicit(&record->number, memory_order_acquire) != number) {
        return false;
    }
    struct lane_act act = {.number = number,
                           .seq = record->seq,
                           .system_call = record->system_call,
                           .error = record->error};
    memcpy(act.act, record->act, sizeof act.act);
    memcpy(act.grant, record->grant, sizeof act.grant);
    /* The copy comes before the second look, which pairs with the fence of the writer. */
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&record->number, memory_order_relaxed) != number) {
        return false;
    }
    act.act[sizeof act.act - 1] = '\0';
    act.grant[sizeof act.grant - 1] = '\0';
    *ret_act = act;
    return true;
}
