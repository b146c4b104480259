/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/own.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cordon/cell.h"
#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/lending.h"
#include "gateway/reload.h"
#include "gateway/request.h"
#include "gateway/seat.h"
#include "gateway/stats.h"

#define PROTOCOL_VERSION 1

static void take_ping(struct gateway *gateway, struct request *request, struct json_value params)
{
    struct json_out *out = request_result_begin(request);
    (void)params;
    if (out) {
        json_out_object(out);
        json_out_key(out, "protocol");
        json_out_int(out, PROTOCOL_VERSION);
        json_out_key(out, "version");
        json_out_string(out, CORDON_VERSION);
        json_out_key(out, "uptime_ms");
        json_out_uint(out, (clock_now_ns() - gateway->started_ns) / CLOCK_MS_NS);
        json_out_object_end(out);
        request_result_end(request);
    }
}

static void write_cell(struct json_out *out, const struct house *house)
{
    static const char *const levels[] = {"process", "thread", "inline"};
    char policy[256];
    uint32_t isolation = cordon_cell_isolation(house->cell);
    (void)cordon_cell_policy(house->cell, policy, sizeof policy);
    json_out_object(out);
    json_out_key(out, "name");
    json_out_text_bytes(out, house->settings.name, strlen(house->settings.name));
    json_out_key(out, "library");
    const char *library = house->library ? house->library : "";
    json_out_text_bytes(out, library, strlen(library));
    json_out_key(out, "level");
    json_out_string(out, levels[house->settings.options.level]);
    json_out_key(out, "policy");
    json_out_text_bytes(out, policy, strlen(policy));
    json_out_key(out, "isolation");
    json_out_array(out);
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        if ((isolation & bit) && cordon_isolation_name(bit)) {
            json_out_string(out, cordon_isolation_name(bit));
        }
    }
    json_out_array_end(out);
    json_out_key(out, "generation");
    json_out_uint(out, house->generation);
    json_out_key(out, "state");
    json_out_string(out, stats_state(house));
    json_out_object_end(out);
}

static void take_cells(struct gateway *gateway, struct request *request, struct json_value params)
{
    struct json_out *out = request_result_begin(request);
    (void)params;
    if (out) {
        json_out_array(out);
        for (size_t i = 0; i < gateway->house_count; i++) {
            write_cell(out, gateway->houses[i]);
        }
        json_out_array_end(out);
        request_result_end(request);
    }
}

static void write_method(struct json_out *out, const struct method *method)
{
    json_out_object(out);
    json_out_key(out, "method");
    json_out_string(out, method->settings.name);
    json_out_key(out, "cell");
    json_out_string(out, method->house->settings.name);
    json_out_key(out, "function");
    json_out_string(out, method->settings.function);
    json_method_describe(&method->json, out);
    json_out_object_end(out);
}

static void take_describe(struct gateway *gateway, struct request *request,
                          struct json_value params)
{
    size_t length = 0;
    struct json_value wanted = json_value_get(params, "method");
    /* In the bare form `method` is this very method. */
    const char *name = request->is_rpc && json_value_kind(wanted) == JSON_KIND_STRING
                           ? json_value_string(wanted, &length)
                           : NULL;
    const struct method *only = name ? gateway_find_method(gateway, name, length) : NULL;
    if (name && !only) {
        request_fail(request, CODE_PARAMETERS, "no such method");
        return;
    }
    struct json_out *out = request_result_begin(request);
    if (!out) {
        return;
    }
    json_out_array(out);
    if (only) {
        write_method(out, only);
    }
    for (size_t i = 0; i < gateway->house_count && !only; i++) {
        for (size_t j = 0; j < gateway->houses[i]->method_count; j++) {
            write_method(out, &gateway->houses[i]->methods[j]);
        }
    }
    json_out_array_end(out);
    request_result_end(request);
}

static void take_stats(struct gateway *gateway, struct request *request, struct json_value params)
{
    struct json_value wanted = json_value_get(params, "cell");
    bool named = json_value_kind(wanted) == JSON_KIND_STRING;
    const char *cell = named ? json_value_string(wanted, NULL) : NULL;
    if (named && !gateway_find_house(gateway, cell)) {
        request_fail(request, CODE_PARAMETERS, "no such cell");
        return;
    }
    struct json_out *out = request_result_begin(request);
    if (out) {
        stats_write(gateway, cell, out);
        request_result_end(request);
    }
}

/* {"cell":"zlib","identity":N}: docs/protocol/attach.md. */
static void take_attach(struct gateway *gateway, struct request *request, struct json_value params)
{
    struct json_value cell = json_value_get(params, "cell");
    struct house *house = json_value_kind(cell) == JSON_KIND_STRING
                              ? gateway_find_house(gateway, json_value_string(cell, NULL))
                              : NULL;
    struct connection *connection = request->connection;
    struct message why = {.text = "no such cell"};
    int fd = -1;
    if (request->silent || request->group) {
        request_fail(request, CODE_INVALID, "cordon.attach is a request of its own, with an id");
        return;
    }
    if (!request->is_rpc && connection->requests != request) {
        request_fail(
            request, CODE_INVALID,
            "cordon.attach in the bare form waits for no other answer: the seat comes with "
            "its own");
        return;
    }
    /* The descriptor goes with the first byte that is sent next. */
    connection_flush(connection);
    if (outlet_bytes(&connection->outlet) > 0) {
        request_fail_with(request, CODE_BUSY, "answers wait to be read", "output_bytes", 100);
        return;
    }
    int r = house ? lending_attach(house, connection, &fd, &why) : -EINVAL;
    if (r == 0 && outlet_pass_fd(&connection->outlet, fd) != 0) {
        (void)close(fd);
        r = message_set(&why, -EAGAIN, "another seat is on its way to this client");
    }
    if (r == -EAGAIN) {
        request_fail_with(request, CODE_BUSY, why.text, "leases", 100);
        return;
    }
    if (r != 0) {
        request_fail(request, r == -EINVAL || r == -ENOENT ? CODE_PARAMETERS : CODE_INTERNAL,
                     why.text);
        return;
    }
    struct json_out *out = request_result_begin(request);
    if (out) { /* what a client that is gone was given ends with its connection */
        json_out_bool(out, true);
        request_result_end(request);
    }
}

bool own_take(struct gateway *gateway, struct request *request, const char *name, size_t length,
              struct json_value params)
{
    static const struct {
        const char *name;
        void (*take)(struct gateway *gateway, struct request *request, struct json_value params);
    } methods[] = {
        {"cordon.ping", take_ping},         {"cordon.cells", take_cells},
        {"cordon.describe", take_describe}, {"cordon.stats", take_stats},
        {"cordon.attach", take_attach},     {"cordon.reports", own_take_reports},
        {"cordon.reload", own_take_reload},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strlen(methods[i].name) == length && memcmp(methods[i].name, name, length) == 0) {
            methods[i].take(gateway, request, params);
            return true;
        }
    }
    return false;
}
