/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_GUEST_H
#define GATEWAY_GUEST_H

/*
 * Guest: a client at a house: its requests that wait there, and its seat of its own, if it has one. Guests
 * with waiting requests form the house's ring: seats take from them in turn, one request of each.
 *
 * Threads: the loop's.
 */

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct house;
struct method;
struct request;
struct seat;

struct guest {
    struct connection *connection;
    struct house *house;
    struct guest *next; /* of the connection */
    struct guest *ring_next;
    struct guest *ring_previous;
    bool in_ring;
    struct request *first; /* that wait, oldest first */
    struct request *last;
    uint32_t waiting;
    uint32_t in_flight;
    struct seat *own;
    struct seat *last_seat; /* a shared one: where its calls went last */
};

/* The connection's guest at @house, made if need be; NULL: no memory. */
struct guest *guest_of(struct connection *connection, struct house *house);

/* It shall have a seat of its own from now on. Returns 0, -EBUSY (client_sessions are there), -ENOMEM. */
int guest_take_seat(struct guest *guest);

/* Put at the end, or, for one that comes back, at the front. */
void guest_enqueue(struct guest *guest, struct request *request);
void guest_put_back(struct guest *guest, struct request *request);

/* A request of it has left its seat. */
void guest_served(struct guest *guest);

/* Where a client with handles at a house that was replaced calls on: its method there; else @method. */
struct method *guest_method(const struct connection *connection, struct method *method);

/* Its house was replaced: it goes, unless something of it is left there. */
void guest_tidy(struct guest *guest);

/* Its connection is gone: its waiting requests are dropped, its seat is closed. */
void guest_free(struct guest *guest);

/* Hand waiting requests to seats, as far as they go. Returns whether there was progress. */
bool house_dispatch(struct house *house);

/* Refuse those whose deadline has passed. */
void house_expire(struct house *house, uint64_t now_ns);

#endif
