/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HTTP_VISITORS_H
#define GATEWAY_HTTP_VISITORS_H

/*
 * Visitors: HTTP's connections, and since when each is about its request. The server closes one that is silent; one
 * that sends or takes a byte now and then it would keep for ever: those that take longer than HTTP_REQUEST_MS for a
 * request and its answer are cut.
 *
 * Threads: any.
 */

#include <pthread.h>
#include <stdint.h>

#define HTTP_REQUEST_MS 8000u

struct visitor;

struct visitors {
    pthread_mutex_t lock; /* guards the list; nothing is called with it held */
    struct visitor *first;
};

void visitors_init(struct visitors *visitors);
/* Once all have left. */
void visitors_deinit(struct visitors *visitors);

/* @fd: borrowed until visitor_leave(). NULL: no memory, it is not watched. */
struct visitor *visitor_enter(struct visitors *visitors, int fd);
/* Its request has ended: the time for the next one begins. NULL is fine, here and below. */
void visitor_rest(struct visitors *visitors, struct visitor *visitor);
/* Before its descriptor is closed. */
void visitor_leave(struct visitors *visitors, struct visitor *visitor);

/* End those that are too slow. */
void visitors_cut(struct visitors *visitors, uint64_t now_ns);

#endif
