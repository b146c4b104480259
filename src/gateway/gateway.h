/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

/*
 * Gateway: what the loop turns. Sockets fill their connections' buffers; a turn then looks at all of them:
 * frames become requests, requests calls, calls answers, answers bytes, as far as they go without waiting.
 *
 * Threads: the loop's.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "config/settings.h"
#include "gateway/access.h"
#include "gateway/gateway_limits.h"
#include "gateway/house.h"
#include "gateway/reports.h"
#include "json/document.h"

struct connection;
struct cordon_lender;
struct reload;
struct request;
struct seat;

/* A method by one of its names. */
struct route {
    const char *name; /* "sha256"; of two words, "crypto.sha256", @cell is not NULL */
    const char *cell;
    struct method *method;
};

struct gateway {
    uv_loop_t *loop;
    struct gateway_limits limits;
    struct access access; /* who may connect; lists of the daemon's settings */
    uint64_t started_ns;
    struct house **houses;
    size_t house_count;
    struct house *retired; /* replaced, still used */
    struct route *routes;  /* sorted by name */
    size_t route_count;

    uv_stream_t *unaccepted; /* where a client waits for memory; NULL: none does */
    struct connection *connections;
    uint32_t client_count;
    struct connection *active; /* ring of those with input to look at; the one whose turn it is */
    struct connection *dirty;  /* with answers to send */
    struct seat *busy;         /* with calls in flight */
    uint32_t busy_count;
    uint32_t cpus;      /* that workers may have beside this thread; at least one */
    uint32_t in_flight; /* requests accepted and not answered */
    struct request *free_requests;
    uint32_t free_count;
    struct document document;    /* of the frame that is being looked at */
    struct cordon_result result; /* of the call that is being collected */
    struct reports reports;

    struct reload *reload; /* NULL: there is no configuration to read again */
    struct cordon_lender *lender;
    uv_poll_t lending;
    uv_check_t after_poll;
    uv_idle_t more; /* active while there is more to do at once */
    uv_timer_t tick;
    bool turning;
    bool stopping;
    uint64_t accepted;  /* clients ever */
    uint64_t forbidden; /* of them, those who may not use the daemon */
    uint64_t slow;      /* of them, those closed for being slow */
    uint64_t refused;   /* requests that never came to a method */
};

/* @loop: borrowed. @limits: copied. Returns 0, or a negative errno. */
int gateway_init(struct gateway *gateway, uv_loop_t *loop, const struct gateway_limits *limits);

/*
 * Take these houses and their array (ownership) in the place of all there were; those that stay are among both. From the
 * next frame on, calls go to them.
 *
 * Returns 0; -EEXIST: two methods have one name; -ENOMEM: then nothing has changed, the array is freed, and the new houses are
 * closed in the pool.
 */
int gateway_set_houses(struct gateway *gateway, struct house **houses, size_t count,
                       struct message *why);

/* The method that clients call @name, or NULL. */
struct method *gateway_find_method(const struct gateway *gateway, const char *name, size_t length);
struct house *gateway_find_house(const struct gateway *gateway, const char *name);

/* Do what can be done now; from outside of polling (a job has ended), soon. */
void gateway_wake(struct gateway *gateway);

/* No new requests from now on; gateway_is_idle() tells when all are answered, and the answers taken. */
void gateway_drain(struct gateway *gateway);
bool gateway_is_idle(const struct gateway *gateway);

/* Close all connections, retire all houses. The loop ends when they are closed. */
void gateway_close(struct gateway *gateway);
/* Once the loop has ended. */
void gateway_deinit(struct gateway *gateway);

#endif
