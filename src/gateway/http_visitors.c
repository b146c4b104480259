/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http_visitors.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

struct visitor {
    struct visitor *next;
    struct visitor *previous;
    int fd;
    uint64_t since_ns;
};

void visitors_init(struct visitors *visitors)
{
    (void)pthread_mutex_init(&visitors->lock, NULL);
    visitors->first = NULL;
}

void visitors_deinit(struct visitors *visitors)
{
    (void)pthread_mutex_destroy(&visitors->lock);
}

struct visitor *visitor_enter(struct visitors *visitors, int fd)
{
    struct visitor *visitor = calloc(1, sizeof *visitor);
    if (!visitor) {
        return NULL;
    }
    visitor->fd = fd;
    visitor->since_ns = clock_now_ns();
    (void)pthread_mutex_lock(&visitors->lock);
    visitor->next = visitors->first;
    if (visitor->next) {
        visitor->next->previous = visitor;
    }
    visitors->first = visitor;
    (void)pthread_mutex_unlock(&visitors->lock);
    return visitor;
}

void visitor_rest(struct visitors *visitors, struct visitor *visitor)
{
    if (visitor) {
        (void)pthread_mutex_lock(&visitors->lock);
        visitor->since_ns = clock_now_ns();
        (void)pthread_mutex_unlock(&visitors->lock);
    }
}

void visitor_leave(struct visitors *visitors, struct visitor *visitor)
{
    if (!visitor) {
        return;
    }
    (void)pthread_mutex_lock(&visitors->lock);
    if (visitor->next) {
        visitor->next->previous = visitor->previous;
    }
    if (visitor->previous) {
        visitor->previous->next = visitor->next;
    } else {
        visitors->first = visitor->next;
    }
    (void)pthread_mutex_unlock(&visitors->lock);
    free(visitor);
}

void visitors_cut(struct visitors *visitors, uint64_t now_ns)
{
    (void)pthread_mutex_lock(&visitors->lock);
    for (struct visitor *visitor = visitors->first; visitor; visitor = visitor->next) {
        if (now_ns > visitor->since_ns + HTTP_REQUEST_MS * CLOCK_MS_NS) {
            /* The server sees its end, and closes it. */
            (void)shutdown(visitor->fd, SHUT_RDWR);
        }
    }
    (void)pthread_mutex_unlock(&visitors->lock);
}
