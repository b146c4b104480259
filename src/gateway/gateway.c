/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/gateway.h"

#include <errno.h>
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
    uint64_t spin_until_ns = idle ? clock_after_ns(GATEWAY_SPIN_NS) : 0;
    struct seat **link = &gateway->busy;
    while (*link) {
        struct seat *seat = *link;
        bool is_short =
            seat->first && seat->expected_ns > 0 && seat->expected_ns <= GATEWAY_SPIN_NS;
        if (!seat->first) {
            seat->busy = false;
            *link = seat->next_busy;
            continue;
        }
        link = &seat->next_busy;
        count += seat_collect(seat, is_short ? spin_until_ns : 0);
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

static void turn(struct gateway *gateway)
{
    gateway->turning = true;
    bool more = take_frames(gateway);
    while (dispatch(gateway) || gateway->busy) {
        if (collect(gateway, !more) == 0) {
            break;
        }
    }
    flush(gateway);
    gateway->turning = false;
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

static void on_tick(uv_timer_t *timer)
{
    struct gateway *gateway = timer->data;
    uint64_t now_ns = clock_now_ns();
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

int gateway_init(struct gateway *gateway, uv_loop_t *loop, const struct gateway_limits *limits)
{
    *gateway = (struct gateway){.loop = loop, .limits = *limits, .started_ns = clock_now_ns()};
    int r = uv_check_init(loop, &gateway->after_poll);
    r = r != 0 ? r : uv_idle_init(loop, &gateway->more);
    r = r != 0 ? r : uv_timer_init(loop, &gateway->tick);
    gateway->after_poll.data = gateway->more.data = gateway->tick.data = gateway;
    r = r != 0 ? r : lending_start(gateway, NULL);
    r = r != 0 ? r : uv_check_start(&gateway->after_poll, after_poll);
    return r != 0 ? r : uv_timer_start(&gateway->tick, on_tick, TICK_MS, TICK_MS);
}

static int compare_routes(const void *a, const void *b)
{
    const struct route *left = a;
    const struct route *right = b;
    int r = strcmp(left->name, right->name);
    if (r == 0 && (left->cell || right->cell)) {
        r = !left->cell ? -1 : !right->cell ? 1 : strcmp(left->cell, right->cell);
    }
    return r;
}

static size_t count_methods(struct house *const *houses, size_t count)
{
    size_t methods = 0;
    for (size_t i = 0; i < count; i++) {
        methods += houses[i]->method_count;
    }
    return methods;
}

/* Each method by its name and by cell.name. Its name alone has to be the only one. */
static int make_routes(struct house *const *houses, size_t count, struct route **ret_routes,
                       size_t *ret_count, struct message *why)
{
    size_t most = 2 * count_methods(houses, count);
    size_t routes = 0;
    struct route *table = calloc(most + 1, sizeof *table);
    if (!table) {
        return message_set(why, -ENOMEM, "not enough memory for %zu methods", most / 2);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < houses[i]->method_count; j++) {
            struct method *method = &houses[i]->methods[j];
            table[routes++] = (struct route){.name = method->settings.name, .method = method};
            table[routes++] = (struct route){
                .name = method->settings.name, .cell = houses[i]->settings.name, .method = method};
        }
    }
    qsort(table, routes, sizeof *table, compare_routes);
    for (size_t i = 1; i < routes; i++) {
        if (compare_routes(&table[i - 1], &table[i]) == 0) {
            int r = message_set(why, -EEXIST,
                                "method '%s' is offered twice, by the cells '%s' and '%s'",
                                table[i].name, table[i - 1].method->house->settings.name,
                                table[i].method->house->settings.name);
            free(table);
            return r;
        }
    }
    *ret_routes = table;
    *ret_count = routes;
    return 0;
}

static bool is_among(const struct house *house, struct house *const *houses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (houses[i] == house) {
            return true;
        }
    }
    return false;
}

static struct house *find_named(struct house *const *houses, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(houses[i]->settings.name, name) == 0) {
            return houses[i];
        }
    }
    return NULL;
}

static int start_new(struct gateway *gateway, struct house *const *houses, size_t count,
                     struct message *why)
{
    for (size_t i = 0; i < count; i++) {
        if (is_among(houses[i], gateway->houses, gateway->house_count)) {
            continue;
        }
        int r = house_start(houses[i], gateway);
        if (r != 0) {
            return message_set(why, r, "not enough memory for the workers of a cell");
        }
        if (lending_offer(houses[i], why) != 0) {
            log_say(LOG_ERROR, "lending", houses[i]->settings.name, "nothing is lent: %s",
                    why->text);
        }
    }
    return 0;
}

int gateway_set_houses(struct gateway *gateway, struct house **houses, size_t count,
                       struct message *why)
{
    struct route *routes = NULL;
    size_t route_count = 0;
    int r = make_routes(houses, count, &routes, &route_count, why);
    if (r == 0) {
        r = start_new(gateway, houses, count, why);
        if (r != 0) {
            free(routes);
        }
    }
    if (r != 0) {
        return r;
    }
    struct house **before = gateway->houses;
    size_t before_count = gateway->house_count;
    free(gateway->routes);
    gateway->routes = routes;
    gateway->route_count = route_count;
    gateway->houses = houses;
    gateway->house_count = count;
    for (size_t i = 0; i < before_count; i++) {
        if (!is_among(before[i], houses, count)) {
            lending_replace(before[i], find_named(houses, count, before[i]->settings.name));
            house_retire(before[i]);
        }
    }
    free(before);
    gateway_wake(gateway);
    return 0;
}

/* @name as "cell.method", or as a method's name alone. */
struct method *gateway_find_method(const struct gateway *gateway, const char *name, size_t length)
{
    char text[2 * GATEWAY_METHOD_BYTES];
    if (length >= sizeof text || memchr(name, '\0', length)) {
        return NULL;
    }
    memcpy(text, name, length);
    text[length] = '\0';
    char *point = strchr(text, '.');
    struct route wanted = {.name = text};
    if (point) {
        *point = '\0';
        wanted = (struct route){.name = point + 1, .cell = text};
    }
    const struct route *route =
        gateway->route_count > 0
            ? bsearch(&wanted, gateway->routes, gateway->route_count, sizeof wanted, compare_routes)
            : NULL;
    return route ? route->method : NULL;
}

struct house *gateway_find_house(const struct gateway *gateway, const char *name)
{
    for (size_t i = 0; i < gateway->house_count; i++) {
        if (strcmp(gateway->houses[i]->settings.name, name) == 0) {
            return gateway->houses[i];
        }
    }
    return NULL;
}

void gateway_drain(struct gateway *gateway)
{
    gateway->stopping = true;
}

bool gateway_is_idle(const struct gateway *gateway)
{
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
    free(gateway->routes);
    free(gateway->houses);
    document_deinit(&gateway->document);
}
