/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/verdict.h"

#include "base/cpu.h"
#include "base/futex.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

/* A host that has just parked waits for an answer alone (LANE_PARK_FIRST_NS). */
static void wake_parked(const struct lane_host_page *h, const struct lane_worker_page *w)
{
    /* Pairs with the fence in the host's park_on_futex(): behind it the host sees the verdict. */
    cpu_fence();
    uint32_t parked = atomic_load_explicit(&h->host_parked, memory_order_relaxed);
    if (parked != 0 && parked <= LANE_SLOTS) {
        futex_wake(&w->mail[parked - 1].turn, INT_MAX);
    }
}

bool lane_verdict_give(struct lane_host_page *h, const struct lane_worker_page *w, int bell_fd,
                       enum lane_verdict verdict, uint32_t seq, const struct lane_death *death)
{
    uint32_t alive = LANE_ALIVE;
    /* Pairs with the acquire loads in lane_look(): answers that this side saw, they see as well. */
    if (!atomic_compare_exchange_strong_explicit(&h->verdict, &alive, verdict, memory_order_seq_cst,
                                                 memory_order_relaxed)) {
        return false;
    }
    uint32_t final = LANE_FINAL_SEQ;
    if (death != NULL) {
        h->death = *death;
        final |= LANE_FINAL_DEATH;
    }
    /* Relaxed: published by verdict_final. */
    atomic_store_explicit(&h->verdict_seq, seq, memory_order_relaxed);
    /* Pairs with the acquire in verdict readers: blame and death before final. */
    atomic_store_explicit(&h->verdict_final, final, memory_order_release);
    wake_parked(h, w); /* who waits for an answer first */
    futex_wake(&h->verdict, INT_MAX);
    futex_wake(&h->verdict_final, INT_MAX);
    if (bell_fd >= 0) {
        lane_ring_event(bell_fd);
    }
    return true;
}

bool lane_verdict_spares(enum lane_verdict verdict, uint32_t blamed, uint32_t seq)
{
    bool names_a_call =
        verdict == LANE_DEADLINE || verdict == LANE_LIED || verdict == LANE_FAILED || blamed != 0;
    return !names_a_call || lane_seq_before(seq, blamed);
}

enum lane_leaving lane_leaving(const struct lane_worker_page *w)
{
    /* Relaxed: its writer has ended, or waits for us in the kernel. */
    uint32_t why = atomic_load_explicit(&w->leaving, memory_order_relaxed);
    return why <= LANE_LEAVING_ABANDONED ? (enum lane_leaving)why : LANE_LEAVING_NOT;
}

void lane_ring_event(int event_fd)
{
    struct pollfd writable = {.fd = event_fd, .events = POLLOUT};
    if (poll(&writable, 1, 0) != 1 || (writable.revents & POLLOUT) == 0) {
        return;
    }
    /* The flag belongs to the open file: whoever made it may have left it out. */
    (void)fcntl(event_fd, F_SETFL, O_RDWR | O_NONBLOCK);
    uint64_t one = 1;
    ssize_t written = write(event_fd, &one, sizeof one);
    (void)written; /* EAGAIN: full by now, hence readable. */
}
