/* SPDX-License-Identifier: Apache-2.0 */
/* Which houses a gateway has, and which names their methods are called by. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"
#include "gateway/lending.h"
#include "gateway/log.h"

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

static int start_one(struct gateway *gateway, struct house *house, struct message *why)
{
    int r = house_start(house, gateway);
    if (r != 0) {
        return message_set(why, r, "not enough memory for the workers of cell '%s'",
                           house->settings.name);
    }
    struct message reason;
    if (lending_offer(house, &reason) != 0) {
        log_say(LOG_ERROR, "lending", house->settings.name, "nothing is lent: %s", reason.text);
    }
    return 0;
}

/* Those that are new. Failing, all of them are on their way out, started or not. */
static int start_new(struct gateway *gateway, struct house *const *houses, size_t count,
                     struct message *why)
{
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        if (!is_among(houses[i], gateway->houses, gateway->house_count)) {
            r = start_one(gateway, houses[i], why);
        }
    }
    return r;
}

static void discard_new(struct gateway *gateway, struct house *const *houses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_among(houses[i], gateway->houses, gateway->house_count)) {
            house_discard(houses[i], gateway);
        }
    }
}

static void tell(const char *event, const struct house *house, const char *sentence)
{
    struct log_field fields[] = {{.key = "generation", .number = house->generation}, {0}};
    log_say_with(LOG_NOTICE, event, house->settings.name, fields, "%s, generation %u", sentence,
                 house->generation);
}

/* The houses that were there before, and are not among the new ones, go. */
static void retire_others(struct gateway *gateway, struct house *const *before, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_among(before[i], gateway->houses, gateway->house_count)) {
            struct house *next = gateway_find_house(gateway, before[i]->settings.name);
            if (!next && !gateway->stopping) {
                tell("removed", before[i], "the cell is offered no more");
            }
            lending_replace(before[i], next);
            house_retire(before[i]);
        }
    }
}

static void tell_new(struct house *const *houses, size_t count, struct house *const *before,
                     size_t before_count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_among(houses[i], before, before_count)) {
            bool replaces = find_named(before, before_count, houses[i]->settings.name) != NULL;
            tell(replaces ? "replaced" : "opened", houses[i],
                 replaces ? "the cell was opened anew" : "the cell is open");
        }
    }
}

int gateway_set_houses(struct gateway *gateway, struct house **houses, size_t count,
                       struct message *why)
{
    struct route *routes = NULL;
    size_t route_count = 0;
    int r = make_routes(houses, count, &routes, &route_count, why);
    r = r != 0 ? r : start_new(gateway, houses, count, why);
    if (r != 0) {
        free(routes);
        discard_new(gateway, houses, count);
        free(houses);
        return r;
    }
    struct house **before = gateway->houses;
    size_t before_count = gateway->house_count;
    free(gateway->routes);
    gateway->routes = routes;
    gateway->route_count = route_count;
    gateway->houses = houses;
    gateway->house_count = count;
    tell_new(houses, count, before, before_count);
    retire_others(gateway, before, before_count);
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
