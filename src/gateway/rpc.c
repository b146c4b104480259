/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/rpc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/guest.h"
#include "gateway/own.h"
#include "gateway/request.h"

static const char no_id[] = "null";

#define QUEUE_RETRY_MS 50u

static bool keep_id(struct request *request, struct json_value id)
{
    request->id.length = 0;
    request->id.comma = false;
    if (json_value_given(id)) {
        json_out_value(&request->id, id);
    } else {
        char *text = json_out_raw(&request->id, sizeof no_id - 1);
        if (text) {
            memcpy(text, no_id, sizeof no_id - 1);
        }
    }
    return !request->id.failed;
}

static bool is_id(struct json_value id)
{
    enum json_kind kind = json_value_kind(id);
    size_t length = 0;
    if (kind == JSON_KIND_STRING) {
        (void)json_value_string(id, &length);
    }
    return length <= GATEWAY_ID_BYTES &&
           (kind == JSON_KIND_NONE || kind == JSON_KIND_NULL || kind == JSON_KIND_INT ||
            kind == JSON_KIND_UINT || kind == JSON_KIND_STRING);
}

/* Not even an error can be told. */
static void give_up(struct request *request)
{
    connection_close(request->connection); /* which it is no part of any more */
    request_drop(request);
}

/* One that is refused before it is known what it is; not @is_rpc: it has no form. */
static void refuse(struct connection *connection, struct group *group, struct json_value id,
                   bool is_rpc, enum request_code code, const char *sentence)
{
    struct request *request = request_new(connection->gateway, connection);
    connection->gateway->refused++;
    if (!request) {
        connection_close(connection);
        return;
    }
    request->is_rpc = is_rpc;
    request->formless = !is_rpc;
    request->group = group;
    if (group) {
        group->open++;
    }
    if (is_rpc && !keep_id(request, id)) {
        give_up(request);
        return;
    }
    request_fail(request, code, sentence);
}

/*
 * From now: what was asked for, else the method's, else the cell's. No client has a worker for longer than the
 * gateway allows, or its cell. False: it is no duration.
 */
static bool set_deadline(struct request *request, struct json_value given)
{
    const struct method *method = request->method;
    uint64_t ms = method->settings.deadline_ms != 0 ? method->settings.deadline_ms
                                                    : method->house->settings.options.deadline_ms;
    if (json_value_given(given)) {
        if (json_value_kind(given) != JSON_KIND_INT || json_value_int(given) <= 0) {
            return false;
        }
        uint64_t most = request->gateway->limits.deadline_max_ms;
        most = ms > most ? ms : most;
        ms = (uint64_t)json_value_int(given);
        ms = ms < most ? ms : most;
    }
    uint64_t ns = ms > UINT64_MAX / CLOCK_MS_NS ? CLOCK_NEVER : ms * CLOCK_MS_NS;
    request->deadline_ns =
        ns > CLOCK_NEVER - 1 - request->arrived_ns ? CLOCK_NEVER - 1 : request->arrived_ns + ns;
    return true;
}

struct taking {
    struct request *request;
};

static int take_handle(void *context, const char *text, size_t length, uint32_t tag,
                       struct cordon_handle *ret_handle, struct message *why)
{
    const struct taking *taking = context;
    (void)tag;
    return handles_find(&taking->request->connection->handles, taking->request->method->house, text,
                        length, ret_handle, why);
}

static enum request_code code_of_parameters(int error)
{
    return error == -ENOMEM ? CODE_INTERNAL : error == -ESTALE ? CODE_STALE : CODE_PARAMETERS;
}

/* The client's place at the method's house, with a seat of its own where the method wants one. */
static struct guest *find_guest(struct request *request)
{
    struct guest *guest = guest_of(request->connection, request->method->house);
    int r = !guest ? -ENOMEM : request->method->needs_own ? guest_take_seat(guest) : 0;
    if (r == 0) {
        return guest;
    }
    if (r == -EBUSY) {
        request_fail_with(request, CODE_BUSY,
                          "as many clients have a worker of their own in this cell as may",
                          "sessions", 0);
    } else {
        request_fail(request, CODE_INTERNAL, "not enough memory for the request");
    }
    return NULL;
}

/* In the line for the cell's workers; those with a worker of their own wait for that. */
static bool has_place(struct request *request)
{
    struct house *house = request->method->house;
    uint32_t most = house->settings.queue;
    if (most == 0 || request->guest->own || house->waiting < most) {
        return true;
    }
    (void)house_dispatch(house); /* what came with it may have found its worker */
    if (house->waiting < most) {
        return true;
    }
    request->guest = NULL;
    request_fail_with(request, CODE_BUSY, "as many requests wait for the cell's workers as may",
                      "queue", QUEUE_RETRY_MS);
    return false;
}

static void take_call(struct request *request, struct json_value frame, struct json_value params)
{
    static const char *const bare_keys[] = {"method", "deadline_ms", NULL};
    static const char *const method_key[] = {"method", NULL};
    struct method *method = request->method;
    struct taking taking = {.request = request};
    struct json_hooks hooks = {.context = &taking, .take = take_handle};
    struct message why;
    bool own_deadline = !request->is_rpc && json_method_takes(&method->json, "deadline_ms");
    struct json_value deadline =
        own_deadline ? (struct json_value){0} : json_value_get(frame, "deadline_ms");
    int r;
    if (!set_deadline(request, deadline)) {
        request_fail(request, CODE_PARAMETERS, "deadline_ms is no whole number of milliseconds");
        return;
    }
    if (request->is_rpc && json_value_kind(params) == JSON_KIND_ARRAY) {
        r = json_call_positional(&request->call, &method->json, params, &hooks, &why);
    } else {
        const char *const *skip = request->is_rpc ? NULL : own_deadline ? method_key : bare_keys;
        r = json_call_named(&request->call, &method->json, params, skip, &hooks, &why);
    }
    if (r != 0) {
        request_fail(request, code_of_parameters(r), why.text);
        return;
    }
    if (method->json.traits & JSON_METHOD_GIVES_HANDLES &&
        handles_are_full(&request->connection->handles)) {
        request_refuse_handles(request);
        return;
    }
    request->guest = find_guest(request);
    if (request->guest && has_place(request)) {
        guest_enqueue(request->guest, request);
    }
}

static void unknown_method(struct request *request, const char *name, size_t length)
{
    char sentence[GATEWAY_METHOD_BYTES + 64];
    (void)snprintf(sentence, sizeof sentence, "no method '%.*s'; cordon.describe lists them",
                   (int)(length < GATEWAY_METHOD_BYTES ? length : GATEWAY_METHOD_BYTES), name);
    request->connection->gateway->refused++;
    request_fail(request, CODE_NO_METHOD, sentence);
}

static void route(struct request *request, struct json_value frame, struct json_value params)
{
    struct gateway *gateway = request->connection->gateway;
    size_t length;
    const char *name = json_value_string(json_value_get(frame, "method"), &length);
    if (gateway->stopping) {
        request_fail(request, CODE_STOPPING, "the daemon is stopping");
        return;
    }
    if (gateway->in_flight > gateway->limits.in_flight) {
        request_fail_with(request, CODE_BUSY, "as many requests are in flight as may be",
                          "in_flight", 100);
        return;
    }
    request->method = gateway_find_method(gateway, name, length);
    if (request->method) {
        request->method = guest_method(request->connection, request->method);
        take_call(request, frame, params);
    } else if (!own_take(gateway, request, name, length, params)) {
        unknown_method(request, name, length);
    }
}

static void take_rpc(struct connection *connection, struct group *group, struct json_value frame)
{
    struct json_value id = json_value_get(frame, "id");
    struct json_value params = json_value_get(frame, "params");
    enum json_kind kind = json_value_kind(params);
    const char *wrong =
        !json_value_equals(json_value_get(frame, "jsonrpc"), "2.0") ? "jsonrpc is not \"2.0\""
        : !is_id(id) ? "id is no string of at most 1024 bytes, no whole number of 64 bits, not null"
        : json_value_kind(json_value_get(frame, "method")) != JSON_KIND_STRING
            ? "method is no string"
        : kind != JSON_KIND_NONE && kind != JSON_KIND_OBJECT && kind != JSON_KIND_ARRAY
            ? "params is no object and no array"
            : NULL;
    if (wrong) {
        refuse(connection, group, is_id(id) ? id : (struct json_value){0}, true, CODE_INVALID,
               wrong);
        return;
    }
    struct request *request = request_new(connection->gateway, connection);
    if (!request) {
        connection_close(connection);
        return;
    }
    request->is_rpc = true;
    request->silent = !json_value_given(id);
    request->group = group;
    if (group) {
        group->open++;
    }
    if (!keep_id(request, id)) {
        give_up(request);
        return;
    }
    route(request, frame, params);
}

static void take_bare(struct connection *connection, struct json_value frame)
{
    struct request *request = request_new(connection->gateway, connection);
    if (!request) {
        connection_close(connection);
        return;
    }
    route(request, frame, frame);
}

static void take_batch(struct connection *connection, struct json_value batch)
{
    struct json_walk walk = json_walk(batch);
    struct json_value member;
    struct group *group = calloc(1, sizeof *group);
    if (!group) {
        connection_close(connection);
        return;
    }
    group->open = 1;
    json_out_array(&group->out);
    while (!connection->closing && json_walk_next(&walk, &member)) {
        if (json_value_kind(member) == JSON_KIND_OBJECT) {
            take_rpc(connection, group, member);
        } else {
            refuse(connection, group, (struct json_value){0}, true, CODE_INVALID,
                   "a member of a batch is no object");
        }
    }
    if (!connection->closing) {
        group_close(group, connection);
    } else if (--group->open == 0) {
        json_out_deinit(&group->out);
        free(group);
    }
}

static void take_value(struct connection *connection, struct json_value frame)
{
    const struct gateway_limits *limits = &connection->gateway->limits;
    struct json_value none = {0};
    switch (json_value_kind(frame)) {
    case JSON_KIND_ARRAY: {
        size_t count = json_value_count(frame);
        if (count == 0 || count > limits->batch) {
            refuse(connection, NULL, none, true, CODE_INVALID,
                   count == 0 ? "an empty batch" : "the batch has more members than batch allows");
        } else {
            take_batch(connection, frame);
        }
        return;
    }
    case JSON_KIND_OBJECT:
        if (json_value_given(json_value_get(frame, "jsonrpc"))) {
            take_rpc(connection, NULL, frame);
        } else if (json_value_kind(json_value_get(frame, "method")) == JSON_KIND_STRING) {
            take_bare(connection, frame);
        } else {
            refuse(connection, NULL, none, false, CODE_INVALID,
                   "a request is an object with a method");
        }
        return;
    default:
        refuse(connection, NULL, none, false, CODE_INVALID, "a request is an object with a method");
    }
}

void rpc_take_frame(struct connection *connection, const char *text, size_t length)
{
    struct gateway *gateway = connection->gateway;
    struct json_value none = {0};
    struct json_value frame;
    struct message why;
    const char *key = NULL;
    int r = document_parse(&gateway->document, text, length, length + DOCUMENT_PADDING,
                           gateway->limits.nesting, &frame, &why);
    if (r == 0) {
        r = json_value_duplicate(frame, &key);
    }
    if (r == 1) {
        (void)message_set(&why, 0, "an object has the key '%.64s' twice", key ? key : "");
        refuse(connection, NULL, none, false, CODE_INVALID, why.text);
    } else if (r == -ENOMEM) {
        refuse(connection, NULL, none, false, CODE_INTERNAL, "not enough memory for the request");
    } else if (r < 0) {
        refuse(connection, NULL, none, false, CODE_PARSE, why.text);
    } else {
        take_value(connection, frame);
    }
    if (length > GATEWAY_READ_BYTES) {
        document_shrink(&gateway->document, GATEWAY_READ_BYTES);
    }
}
