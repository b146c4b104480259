/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/lost.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/limits.h"

static _Atomic(struct lost *) all;
static _Atomic uint32_t count;

void lost_keep(struct lost *lost)
{
    /* Relaxed: nobody walks the list; it is there to be pointed from. */
    struct lost *head = atomic_load_explicit(&all, memory_order_relaxed);
    do {
        lost->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&all, &head, lost, memory_order_release,
                                                    memory_order_relaxed));
    (void)atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

uint32_t lost_count(void)
{
    /* Relaxed: a count, nothing else hangs on it. */
    return atomic_load_explicit(&count, memory_order_relaxed);
}

int lost_judge(struct message *why)
{
    if (lost_count() < LIMIT_LOST_WORKERS) {
        return 0;
    }
    return message_set(
        why, -EAGAIN,
        "libraries have faulted %u times in this process, and what they left cannot be "
        "freed: no more workers are started in it (LIMIT_LOST_WORKERS); level process "
        "has no such limit",
        lost_count());
}
