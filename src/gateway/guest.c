/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/seat.h"

struct guest *guest_of(struct connection *connection, struct house *house)
{
    struct guest *guest = connection->guests;
    while (guest && guest->house != house) {
        guest = guest->next;
    }
    if (guest) {
        return guest;
    }
    guest = calloc(1, sizeof *guest);
    if (guest) {
        guest->connection = connection;
        guest->house = house;
        guest->next = connection->guests;
        connection->guests = guest;
        house_use(house);
    }
    return guest;
}

int guest_take_seat(struct guest *guest)
{
    struct house *house = guest->house;
    if (guest->own) {
        return 0;
    }
    if (house->own_seats >= house->settings.client_sessions) {
        return -EBUSY;
    }
    guest->own = seat_new(house, true, NULL);
    if (!guest->own) {
        return -ENOMEM;
    }
    house->own_seats++;
    seat_prepare(guest->own);
    return 0;
}

static void enter_ring(struct guest *guest)
{
    struct house *house = guest->house;
    if (guest->in_ring) {
        return;
    }
    if (house->ring) { /* behind all others: before the one whose turn it is */
        guest->ring_next = house->ring;
        guest->ring_previous = house->ring->ring_previous;
        guest->ring_previous->ring_next = guest;
        house->ring->ring_previous = guest;
    } else {
        guest->ring_next = guest->ring_previous = guest;
        house->ring = guest;
    }
    guest->in_ring = true;
    house->ring_count++;
}

static void leave_ring(struct guest *guest)
{
    struct house *house = guest->house;
    if (!guest->in_ring) {
        return;
    }
    guest->in_ring = false;
    house->ring_count--;
    if (guest->ring_next == guest) {
        house->ring = NULL;
        return;
    }
    guest->ring_next->ring_previous = guest->ring_previous;
    guest->ring_previous->ring_next = guest->ring_next;
    if (house->ring == guest) {
        house->ring = guest->ring_next;
    }
}

void guest_enqueue(struct guest *guest, struct request *request)
{
    request->next = NULL;
    request->previous = guest->last;
    if (guest->last) {
        guest->last->next = request;
    } else {
        guest->first = request;
    }
    guest->last = request;
    guest->waiting++;
    guest->house->waiting++;
    enter_ring(guest);
}

void guest_put_back(struct guest *guest, struct request *request)
{
    request->previous = NULL;
    request->next = guest->first;
    if (guest->first) {
        guest->first->previous = request;
    } else {
        guest->last = request;
    }
    guest->first = request;
    guest->waiting++;
    guest->house->waiting++;
    enter_ring(guest);
}

static void remove_waiting(struct guest *guest, struct request *request)
{
    if (request->previous) {
        request->previous->next = request->next;
    } else {
        guest->first = request->next;
    }
    if (request->next) {
        request->next->previous = request->previous;
    } else {
        guest->last = request->previous;
    }
    request->next = request->previous = NULL;
    guest->waiting--;
    guest->house->waiting--;
    if (guest->waiting == 0) {
        leave_ring(guest);
    }
}

void guest_free(struct guest *guest)
{
    struct house *house = guest->house;
    while (guest->first) {
        struct request *request = guest->first;
        remove_waiting(guest, request);
        request_drop(request);
    }
    if (guest->own) {
        seat_close(guest->own);
    }
    free(guest);
    house_leave(house);
}

struct method *guest_method(const struct connection *connection, struct method *method)
{
    const struct house *house = method->house;
    for (const struct guest *guest = connection->guests; guest; guest = guest->next) {
        struct house *before = guest->house;
        if (!guest->own || before == house ||
            strcmp(before->settings.name, house->settings.name) != 0) {
            continue;
        }
        for (size_t i = 0; i < before->method_count; i++) {
            if (strcmp(before->methods[i].settings.name, method->settings.name) == 0) {
                return &before->methods[i];
            }
        }
    }
    return method;
}

void guest_tidy(struct guest *guest)
{
    struct connection *connection = guest->connection;
    if (!guest->house->retired || guest->own || guest->waiting > 0 || guest->in_flight > 0) {
        return;
    }
    struct guest **link = &connection->guests;
    while (*link != guest) {
        link = &(*link)->next;
    }
    *link = guest->next;
    guest_free(guest);
}

void guest_served(struct guest *guest)
{
    guest->in_flight--;
    guest_tidy(guest);
}

/*
 * The shared seat where a call is likely to be answered first; NULL: all have enough to do. Behind others rather than
 * at one more worker than there are CPUs bought 5-9 instead of 13-16 us a request with 32 in flight.
 */
static struct seat *pick(const struct house *house, const struct guest *guest, uint64_t now_ns)
{
    bool crowded = house->gateway->busy_count >= house->gateway->cpus;
    struct seat *best = guest->last_seat;
    uint64_t least = best ? seat_wait_ns(best, crowded, now_ns) : UINT64_MAX;
    for (uint32_t i = 0; i < house->settings.workers && least > 0; i++) {
        uint64_t wait_ns = seat_wait_ns(house->seats[i], crowded, now_ns);
        if (wait_ns < least) {
            least = wait_ns;
            best = house->seats[i];
        }
    }
    return least != UINT64_MAX ? best : NULL;
}

/* Have one more worker, where requests wait for it. */
static void prepare_one(struct house *house)
{
    for (uint32_t i = 0; i < house->settings.workers; i++) {
        if (house->seats[i]->state == SEAT_EMPTY) {
            seat_prepare(house->seats[i]);
            return;
        }
    }
}

static uint32_t retry_ms(const struct house *house, uint64_t now_ns)
{
    return house->unavailable_ns > now_ns
               ? (uint32_t)((house->unavailable_ns - now_ns) / CLOCK_MS_NS) + 1
               : 0;
}

/* Nobody serves, and trying again was put off: its requests are told so. */
static bool is_unavailable(const struct house *house, const struct seat *own, uint64_t now_ns)
{
    if (house->unavailable_ns <= now_ns) {
        return false;
    }
    if (own) {
        return own->state == SEAT_EMPTY;
    }
    for (uint32_t i = 0; i < house->settings.workers; i++) {
        if (house->seats[i]->state != SEAT_EMPTY) {
            return false;
        }
    }
    return true;
}

/* The guest's first request, as far as it goes now. Returns whether it went. */
static bool serve(struct guest *guest, uint64_t now_ns)
{
    struct house *house = guest->house;
    struct request *request = guest->first;
    if (is_unavailable(house, guest->own, now_ns)) {
        remove_waiting(guest, request);
        request_fail_with(request, CODE_UNAVAILABLE, house->unavailable.text, NULL,
                          retry_ms(house, now_ns));
        return true;
    }
    struct seat *seat = guest->own ? guest->own : pick(house, guest, now_ns);
    if (guest->own && seat->state == SEAT_EMPTY) {
        seat_prepare(seat);
    }
    if (outlet_bytes(&guest->connection->outlet) >= house->gateway->limits.output_bytes) {
        return false; /* it shall first read what was answered */
    }
    if (!seat || seat->state != SEAT_READY || seat->full || seat->in_flight >= GATEWAY_SEAT_CALLS) {
        return false;
    }
    struct cordon_result *refusal = &house->gateway->result;
    remove_waiting(guest, request);
    int r = seat_submit(seat, request, refusal);
    if (r == -ENOTCONN || (r == -EAGAIN && seat->first)) {
        guest_put_back(guest, request);
        return false;
    }
    if (r != 0) {
        request_end(request, r, refusal);
        return true;
    }
    guest->in_flight++;
    guest->last_seat = guest->own ? NULL : seat;
    return true;
}

bool house_dispatch(struct house *house)
{
    uint64_t now_ns = house->ring ? clock_now_ns() : 0;
    bool progress = false;
    uint32_t looks = house->ring_count;
    while (house->ring && looks > 0) {
        struct guest *guest = house->ring;
        house->ring = guest->ring_next;
        if (serve(guest, now_ns)) {
            progress = true;
            looks = house->ring_count;
        } else {
            looks--;
        }
    }
    if (house->ring) {
        prepare_one(house);
    }
    return progress;
}

void house_expire(struct house *house, uint64_t now_ns)
{
    struct guest *guest = house->ring;
    for (uint32_t n = house->ring_count; n > 0; n--) {
        struct guest *after = guest->ring_next;
        for (struct request *request = guest->first; request;) {
            struct request *next = request->next;
            if (request->deadline_ns <= now_ns) {
                remove_waiting(guest, request);
                request_fail(request, CODE_TIMEOUT,
                             "the deadline passed before a worker became free");
            }
            request = next;
        }
        guest = after;
    }
}
