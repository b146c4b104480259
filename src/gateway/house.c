/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/house.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cordon/interface.h"
#include "cordon/policy.h"
#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/guest.h"
#include "gateway/lending.h"
#include "gateway/log.h"
#include "config/opening_call.h"
#include "gateway/seat.h"

static const char *function_name(const struct cordon_interface *interface, size_t index)
{
    size_t bytes;
    const struct plan_view *plan = cordon_interface_plan(interface, index, &bytes);
    return view_name(plan, view_function(plan)->name);
}

static const struct method_settings *settings_of(const struct cell_settings *settings,
                                                 const char *function)
{
    for (size_t i = 0; i < settings->method_count; i++) {
        if (strcmp(settings->methods[i].function, function) == 0) {
            return &settings->methods[i];
        }
    }
    return NULL;
}

/* Names of functions that have no method of their own, as methods. Returns 0, -ENOMEM. */
static int add_functions(struct cell_settings *settings, const struct cordon_interface *interface)
{
    size_t count = cordon_interface_function_count(interface);
    struct method_settings *methods =
        realloc(settings->methods, (settings->method_count + count + 1) * sizeof *methods);
    if (!methods) {
        return -ENOMEM;
    }
    settings->methods = methods;
    for (size_t i = 0; i < count; i++) {
        const char *name = function_name(interface, i);
        if (settings_of(settings, name)) {
            continue;
        }
        struct method_settings *method = &methods[settings->method_count];
        *method = (struct method_settings){.name = strdup(name), .function = strdup(name)};
        settings->method_count++;
        settings->added_count++;
        if (!method->name || !method->function) {
            return -ENOMEM;
        }
    }
    return 0;
}

static void note_function(struct house *house, struct cordon_function *function)
{
    for (size_t i = 0; i < house->function_count; i++) {
        if (house->functions[i] == function) {
            return;
        }
    }
    house->functions[house->function_count++] = function;
}

static int make_method(struct house *house, const struct method_settings *settings,
                       struct method *method, struct message *why)
{
    struct cordon_error error = {{0}};
    struct message reason = {.text = ""};
    size_t bytes;
    int r = cordon_bind(house->cell, settings->function, 0, &method->function, &error);
    if (r != 0) {
        return message_set(why, r, "cell '%s', method '%s': %s", house->settings.name,
                           settings->name, error.text);
    }
    struct json_method_options options = {
        .plan = cordon_function_plan(method->function, &bytes),
        .fixed = settings->fixed,
        .fixed_length = settings->fixed ? strlen(settings->fixed) : 0,
        .result = settings->result,
        .encoding = settings->encoding,
        .bytes_max = house->settings.options.call_bytes,
    };
    r = json_method_init(&method->json, &options, &reason);
    if (r != 0) {
        return message_set(why, r, "cell '%s', method '%s': %s", house->settings.name,
                           settings->name, reason.text);
    }
    method->house = house;
    method->settings = *settings;
    method->needs_own =
        settings->pinned ||
        (method->json.traits & (JSON_METHOD_TAKES_HANDLES | JSON_METHOD_GIVES_HANDLES)) != 0;
    note_function(house, method->function);
    return 0;
}

static int make_methods(struct house *house, size_t named, struct message *why)
{
    size_t most = house->settings.method_count;
    house->methods = calloc(most + 1, sizeof *house->methods);
    house->functions = calloc(most + 1, sizeof(struct cordon_function *));
    if (!house->methods || !house->functions) {
        return message_set(why, -ENOMEM, "not enough memory for %zu methods", most);
    }
    for (size_t i = 0; i < most; i++) {
        struct method *method = &house->methods[house->method_count];
        int r = make_method(house, &house->settings.methods[i], method, why);
        if (r == 0) {
            house->method_count++;
        } else if (i < named) {
            return r;
        } else { /* offered only because all are: what cannot be, is not */
            *method = (struct method){0};
            log_say(LOG_NOTICE, "left_out", house->settings.name, "%s", why->text);
        }
    }
    return 0;
}

static int open_in(struct house *house, struct message *why)
{
    struct cell_settings *settings = &house->settings;
    struct cordon_error error = {{0}};
    size_t named = settings->method_count;
    struct cordon_interface *interface;
    const char *text = settings->options.interface_text;
    int r = cordon_interface_parse(settings->options.interface_name, text, strlen(text), &interface,
                                   &error);
    if (r == 0) {
        r = settings->every_function ? add_functions(settings, interface) : 0;
        const char *library = settings->options.library ? settings->options.library
                                                        : cordon_interface_library(interface);
        house->library = library ? strdup(library) : NULL;
        cordon_interface_free(interface);
    }
    if (r != 0) {
        return message_set(why, r, "cell '%s': %s", settings->name, error.text);
    }
    struct cordon_cell_options options = settings->options;
    options.events = true;
    options.workers = 1; /* for calls without a session: there are none but those of its seat */
    options.sessions = settings->workers + settings->client_sessions;
    r = cordon_cell_open(&options, &house->cell, &error);
    if (r != 0) {
        return message_set(why, r, "cell '%s': %s", settings->name, error.text);
    }
    r = opening_calls_make(house->cell, settings, why);
    return r != 0 ? r : make_methods(house, named, why);
}

int house_open(struct cell_settings *settings, uint32_t generation, struct house **ret_house,
               struct message *why)
{
    struct house *house = calloc(1, sizeof *house);
    if (!house) {
        return message_set(why, -ENOMEM, "not enough memory for a cell");
    }
    house->settings = *settings;
    house->generation = generation;
    int r = open_in(house, why);
    if (r != 0) {
        *settings = house->settings; /* stays the caller's */
        house->settings = (struct cell_settings){0};
        house_free(house);
        return r;
    }
    *settings = (struct cell_settings){0};
    *ret_house = house;
    return 0;
}

/* None of them has begun anything. */
static void forget_seats(struct house *house)
{
    for (uint32_t i = 0; i < house->settings.workers && house->seats[i]; i++) {
        free(house->seats[i]);
        house->users--;
    }
    free(house->seats);
    house->seats = NULL;
}

int house_start(struct house *house, struct gateway *gateway)
{
    house->gateway = gateway;
    house->seats = calloc(house->settings.workers, sizeof(struct seat *));
    if (!house->seats) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < house->settings.workers; i++) {
        house->seats[i] =
            seat_new(house, false, i == 0 ? cordon_session_current(house->cell) : NULL);
        if (!house->seats[i]) {
            forget_seats(house);
            return -ENOMEM;
        }
    }
    seat_prepare(house->seats[0]);
    return 0;
}

void house_discard(struct house *house, struct gateway *gateway)
{
    house->gateway = gateway;
    if (house->lends) {
        lending_replace(house, NULL);
    }
    house_retire(house);
}

void house_free(struct house *house)
{
    for (size_t i = 0; i < house->method_count; i++) {
        json_method_deinit(&house->methods[i].json);
    }
    (void)cordon_cell_close(house->cell);
    free(house->methods);
    free(house->functions);
    free(house->seats);
    free(house->library);
    cell_settings_deinit(&house->settings);
    free(house);
}

static void close_work(uv_work_t *work)
{
    house_free(work->data);
}

static void close_done(uv_work_t *work, int status)
{
    (void)status;
    free(work);
}

/* In the pool: workers are waited for. */
static void close_if_unused(struct house *house)
{
    if (!house->retired || house->users > 0 || house->closing) {
        return;
    }
    house->closing = true;
    struct house **link = &house->gateway->retired;
    while (*link != house) {
        link = &(*link)->next_retired;
    }
    *link = house->next_retired;
    uv_work_t *work = calloc(1, sizeof *work);
    log_say(LOG_DEBUG, "closed", house->settings.name, "generation %u", house->generation);
    if (!work) {
        house_free(house);
        return;
    }
    work->data = house;
    if (uv_queue_work(house->gateway->loop, work, close_work, close_done) != 0) {
        house_free(house);
        free(work);
    }
}

void house_retire(struct house *house)
{
    struct gateway *gateway = house->gateway;
    house_use(house);
    house->retired = true;
    house->next_retired = gateway->retired;
    gateway->retired = house;
    for (struct connection *connection = gateway->connections; connection;
         connection = connection->next) {
        for (struct guest *guest = connection->guests; guest;) {
            struct guest *next = guest->next;
            if (guest->house == house) {
                guest_tidy(guest);
            }
            guest = next;
        }
    }
    house_leave(house); /* its shared seats go once no guest is left */
}

void house_use(struct house *house)
{
    house->users++;
}

/* Once only its shared seats use it, they go. */
void house_leave(struct house *house)
{
    house->users--;
    if (!house->retired) {
        return;
    }
    if (house->seats && house->users == house->settings.workers) {
        for (uint32_t i = 0; i < house->settings.workers; i++) {
            seat_close(house->seats[i]);
        }
    }
    close_if_unused(house);
}
