/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_VERDICT_H
#define LANE_VERDICT_H

/*
 * The verdict: how a lane ends, once. Host and keeper give it by compare-and-swap in H, where the
 * worker cannot write; who loses changes nothing. Also: how a host is woken.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lane/layout.h"

/*
 * Give the verdict and wake whoever waits for it, or for an answer. @death may be NULL; only the keeper
 * has one, and a host whose worker told of its crash.
 * @bell_fd  the eventfd of host and keeper, or -1.
 * Returns true if this verdict won.
 * Threads: any.
 */
bool lane_verdict_give(struct lane_host_page *h, const struct lane_worker_page *w, int bell_fd,
                       enum lane_verdict verdict, uint32_t seq, const struct lane_death *death);

/*
 * True if the answer to call @seq, once published, is valid although @verdict (blaming @blamed) stands.
 * The call that a verdict blames is never done afterwards, later ones are not either; what was answered
 * before it stays answered. A lane that ended for reasons of its own (@blamed 0) keeps all answers.
 */
bool lane_verdict_spares(enum lane_verdict verdict, uint32_t blamed, uint32_t seq);

/* What a dead worker said of its own end; LANE_LEAVING_NOT where it said nothing that can be said. */
enum lane_leaving lane_leaving(const struct lane_worker_page *w);

/*
 * Ring an eventfd. A full counter needs no ring: it is readable. Never one that a worker has: it could fill
 * the counter and clear O_NONBLOCK between our look and our write, which would wait as long as it likes.
 */
void lane_ring_event(int event_fd);

#endif
