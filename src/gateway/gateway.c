/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/gateway.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/connection.h"
#include "gateway/guest.h"
#include "gateway/lending.h"
#include "gateway/log.h"
#include "gateway/request.h"
#include "gateway/seat.h"

#define TICK_MS 50u

/* Frames of all connections in turn. Returns whether some may have more. */
static bool take_frames(struct gateway *gateway)
{
    bool more = false;
    struct connection *last = gateway->active ? gateway->active->ring_previous : NULL;
    for (struct connection *connection = gateway->active; connection;) {
        bool is_last = connection == last;
        struct connection *after = connection->ring_next;
        gateway->active = after;
        more = connection_turn(connection) || more;
        if (is_last || !gateway->active) {
            break;
        }
        connection = gateway->active;
    }
    return more || gateway->active;
}

static bool dispatch(struct gateway *gateway)
{
    bool progress = false;
    for (size_t i = 0; i < gateway->house_count; i++) {
        progress = house_dispatch(gateway->houses[i]) || progress;
    }
    for (struct house *house = gateway->retired; house; house = house->next_retired) {
        progress = house_dispatch(house) || progress;
    }
    for (struct seat *seat = gateway->busy; seat; seat = seat->next_busy) {
        seat_flush(seat);
    }
    return progress;
}

/* Seats with calls in flight, looked at once. A short call is waited for, if there is nothing else to do. */
static uint32_t collect(struct gateway *gateway, bool idle)
{
    uint32_t count = 0;
    struct seat **link = &gateway->busy;
    while (*link) {
        struct seat *seat = *link;
        if (!seat->first) {
            seat->busy = false;
            gateway->busy_count--;
            *link = seat->next_busy;
            continue;
        }
        link = &seat->next_busy;
        count += seat_collect(seat, idle);
    }
    return count;
}

static void flush(struct gateway *gateway)
{
    while (gateway->dirty) {
        struct connection *connection = gateway->dirty;
        gateway->dirty = connection->next_dirty;
        connection->is_dirty = false;
        connection_flush(connection);
    }
}

/* Nothing can be done now: seats ring from here on. True: one has something after all. */
static bool listen_to_seats(struct gateway *gateway)
{
    bool came = false;
    for (struct seat *seat = gateway->busy; seat; seat = seat->next_busy) {
        came = seat_listen(seat) || came;
    }
    return came;
}

/* Ends after some answers though more may come: a polite client beside a flood waits for turns. */
static void turn(struct gateway *gateway)
{
    gateway->turning = true;
    bool more = take_frames(gateway);
    uint32_t answers = 0;
    while ((dispatch(gateway) || gateway->busy) && answers < GATEWAY_TURN_ANSWERS) {
        uint32_t came = collect(gateway, !more);
        if (came == 0) {
            break;
        }
        answers += came;
    }
    flush(gateway);
    gateway->turning = false;
    more = more || answers >= GATEWAY_TURN_ANSWERS;
    if (more || gateway->active || listen_to_seats(gateway)) {
        gateway_wake(gateway);
    } else {
        (void)uv_idle_stop(&gateway->more);
    }
}

static void after_poll(uv_check_t *check)
{
    turn(check->data);
}

/* Its being active is all it does: the loop does not sleep. */
static void on_more(uv_idle_t *idle)
{
    (void)idle;
}

/* Its server is closed when the daemon stops. */
static void accept_late(struct gateway *gateway)
{
    uv_stream_t *server = gateway->unaccepted;
    gateway->unaccepted = NULL;
    if (server && !gateway->stopping) {
        connection_accept(gateway, server);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct gateway *gateway = timer->data;
    uint64_t now_ns = clock_now_ns();
    accept_late(gateway);
    for (size_t i = 0; i < gateway->house_count; i++) {
        house_expire(gateway->houses[i], now_ns);
    }
    for (struct house *house = gateway->retired; house; house = house->next_retired) {
        house_expire(house, now_ns);
    }
    for (struct connection *connection = gateway->connections; connection;) {
        struct connection *next = connection->next;
        connection_check_time(connection, now_ns);
        connection = next;
    }
    if (gateway->dirty || gateway->active) {
        gateway_wake(gateway);
    }
}

void gateway_wake(struct gateway *gateway)
{
    if (!uv_is_closing((uv_handle_t *)&gateway->more)) {
        (void)uv_idle_start(&gateway->more, on_more);
    }
}

static uint32_t count_cpus(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 2;
    return count > 2 ? (uint32_t)count - 1 : 1;
}

int gateway_init(struct gateway *gateway, uv_loop_t *loop, const struct gateway_limits *limits)
{
    *gateway = (struct gateway){
        .loop = loop, .limits = *limits, .started_ns = clock_now_ns(), .cpus = count_cpus()};
    int r = uv_check_init(loop, &gateway->after_poll);
    r = r != 0 ? r : uv_idle_init(loop, &gateway->more);
    r = r != 0 ? r : uv_timer_init(loop, &gateway->tick);
    gateway->after_poll.data = gateway->more.data = gateway->tick.data = gateway;
    r = r != 0 ? r : lending_start(gateway, NULL);
    r = r != 0 ? r : uv_check_start(&gateway->after_poll, after_poll);
    return r != 0 ? r : uv_timer_start(&gateway->tick, on_tick, TICK_MS, TICK_MS);
}

void gateway_drain(struct gateway *gateway)
{
    gateway->stopping = true;
}

bool gateway_is_idle(const struct gateway *gateway)
{
    for (const struct connection *connection = gateway->connections; connection;
         connection = connection->next) {
        if (outlet_bytes(&connection->outlet) > 0) {
            return false;
        }
    }
    return gateway->in_flight == 0;
}

void gateway_close(struct gateway *gateway)
{
    struct message why;
    while (gateway->connections) {
        connection_close(gateway->connections);
    }
    (void)gateway_set_houses(gateway, NULL, 0, &why);
    lending_stop(gateway);
    uv_close((uv_handle_t *)&gateway->tick, NULL);
    uv_close((uv_handle_t *)&gateway->more, NULL);
    /* Seats' last calls are collected by their own events. */
    uv_close((uv_handle_t *)&gateway->after_poll, NULL);
}

void gateway_deinit(struct gateway *gateway)
{
    requests_free(gateway);
    reports_deinit(&gateway->reports);
    free(gateway->routes);
    free(gateway->houses);
    document_deinit(&gateway->document);
}
