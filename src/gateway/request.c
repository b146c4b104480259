/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cordon/outcome.h"
#include "cordon/violation.h"
#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/guest.h"
#include "gateway/log.h"
#include "gateway/seat.h"

#define STORE_MOST   512u   /* requests that are kept for others to come */
#define STORED_BYTES 65536u /* what one of them may hold on to */

struct request *request_new(struct gateway *gateway, struct connection *connection)
{
    struct request *request = gateway->free_requests;
    if (request) {
        gateway->free_requests = request->next;
        gateway->free_count--;
    } else {
        request = calloc(1, sizeof *request);
        if (!request) {
            return NULL;
        }
        json_call_init(&request->call);
    }
    request->next = request->previous = NULL;
    request->connection = connection;
    request->mate = NULL;
    request->mate_previous = connection->requests_last;
    if (connection->requests_last) {
        connection->requests_last->mate = request;
    } else {
        connection->requests = request;
    }
    connection->requests_last = request;
    connection->in_flight++;
    gateway->in_flight++;
    request->arrived_ns = clock_now_ns();
    return request;
}

static void request_release(struct request *request)
{
    json_call_deinit(&request->call);
    json_out_deinit(&request->id);
    json_out_deinit(&request->held);
    free(request);
}

void requests_free(struct gateway *gateway)
{
    while (gateway->free_requests) {
        struct request *next = gateway->free_requests->next;
        request_release(gateway->free_requests);
        gateway->free_requests = next;
    }
    gateway->free_count = 0;
}

static void unlink_mate(struct request *request)
{
    struct connection *connection = request->connection;
    if (!connection) {
        return;
    }
    if (request->mate_previous) {
        request->mate_previous->mate = request->mate;
    } else {
        connection->requests = request->mate;
    }
    if (request->mate) {
        request->mate->mate_previous = request->mate_previous;
    } else {
        connection->requests_last = request->mate_previous;
    }
    request->connection = NULL;
}

/* To the store, with what memory it has; empty. */
static void give_back(struct gateway *gateway, struct request *request)
{
    unlink_mate(request);
    json_call_reset(&request->call);
    if (gateway->free_count >= STORE_MOST || request->held.room > STORED_BYTES ||
        request->id.room > STORED_BYTES) {
        request_release(request);
        return;
    }
    struct request kept = *request;
    *request = (struct request){.call = kept.call, .id = kept.id, .held = kept.held};
    request->id.length = request->held.length = 0;
    request->id.comma = request->held.comma = request->id.failed = request->held.failed = false;
    request->next = gateway->free_requests;
    gateway->free_requests = request;
    gateway->free_count++;
}

/* Answered, or not to be: it counts no more. */
static void settle(struct gateway *gateway, struct request *request)
{
    gateway->in_flight--;
    if (request->connection) {
        request->connection->in_flight--;
    }
}

static struct gateway *gateway_of(const struct request *request)
{
    return request->method ? request->method->house->gateway : request->connection->gateway;
}

void request_orphan(struct request *request)
{
    if (request->group && --request->group->open == 0) {
        json_out_deinit(&request->group->out);
        free(request->group);
    }
    request->group = NULL;
    if (request->ended) { /* only its turn was missing */
        give_back(request->connection->gateway, request);
        return;
    }
    unlink_mate(request);
    request->guest = NULL;
}

void request_drop(struct request *request)
{
    struct gateway *gateway = gateway_of(request);
    settle(gateway, request);
    give_back(gateway, request);
}

/* Bare requests before this one are unanswered: its answer has to wait. */
static bool has_elder(const struct request *request)
{
    for (const struct request *elder = request->mate_previous; elder;
         elder = elder->mate_previous) {
        if (!elder->is_rpc) {
            return true;
        }
    }
    return false;
}

/* Where an answer is written: into its batch, its own store, or the connection's frames. */
struct answer {
    struct json_out *out;
    struct json_mark mark;
    size_t frame;
    bool is_frame;
};

static struct answer answer_begin(struct request *request)
{
    struct answer answer = {0};
    if (request->group) {
        answer.out = &request->group->out;
        answer.mark = json_out_mark(answer.out);
    } else if (!request->is_rpc && has_elder(request)) {
        answer.out = &request->held;
        answer.mark = json_out_mark(answer.out);
    } else {
        answer.out = &request->connection->out;
        answer.mark = json_out_mark(answer.out);
        answer.frame = connection_frame_begin(request->connection);
        answer.is_frame = true;
    }
    json_out_object(answer.out);
    if (request->is_rpc) {
        json_out_key(answer.out, "jsonrpc");
        json_out_string(answer.out, "2.0");
        json_out_key(answer.out, "id");
        char *id = json_out_raw(answer.out, request->id.length);
        if (id) {
            memcpy(id, request->id.text, request->id.length);
        }
        answer.out->comma = true;
    }
    return answer;
}

/* Answers that waited for this one. */
static void send_held(struct connection *connection)
{
    for (struct request *request = connection->requests; request;) {
        struct request *next = request->mate;
        if (!request->is_rpc && !request->ended) {
            return;
        }
        if (request->ended) {
            size_t frame = connection_frame_begin(connection);
            char *text = json_out_raw(&connection->out, request->held.length);
            if (text) {
                memcpy(text, request->held.text, request->held.length);
            }
            connection_frame_end(connection, frame);
            give_back(connection->gateway, request);
        }
        request = next;
    }
}

static void group_answered(struct group *group, struct connection *connection)
{
    if (--group->open > 0) {
        return;
    }
    json_out_array_end(&group->out);
    if (group->out.length > 2) { /* "[]": notifications alone */
        size_t frame = connection_frame_begin(connection);
        char *text = json_out_raw(&connection->out, group->out.length);
        if (text && json_out_text(&group->out)) {
            memcpy(text, group->out.text, group->out.length);
        }
        connection_frame_end(connection, frame);
    }
    json_out_deinit(&group->out);
    free(group);
}

void group_close(struct group *group, struct connection *connection)
{
    group_answered(group, connection);
}

static void answer_done(struct request *request)
{
    struct connection *connection = request->connection;
    struct gateway *gateway = connection->gateway;
    struct group *group = request->group;
    bool waits = !request->is_rpc && has_elder(request);
    settle(gateway, request);
    request->ended = true;
    if (!waits) {
        bool bare = !request->is_rpc;
        give_back(gateway, request);
        if (group) {
            group_answered(group, connection);
        } else if (bare) {
            send_held(connection);
        }
    }
    connection_settled(connection);
}

static void answer_end(struct request *request, struct answer *answer)
{
    struct connection *connection = request->connection;
    size_t most = connection->gateway->limits.frame_bytes;
    json_out_object_end(answer->out);
    size_t bytes = answer->out->length - answer->mark.length;
    if (answer->out->failed || bytes > most) {
        bool memory = answer->out->failed;
        json_out_rewind(answer->out, answer->mark);
        request_fail(request, CODE_INTERNAL,
                     memory ? "not enough memory for the answer"
                            : "the answer is larger than frame_bytes");
        return;
    }
    if (answer->is_frame) {
        connection_frame_end(connection, answer->frame);
    }
    answer_done(request);
}

/* Nobody wants to hear how it ended. */
static bool is_unheard(struct request *request)
{
    if (request->connection && !request->connection->closing && !request->silent) {
        return false;
    }
    struct gateway *gateway = gateway_of(request);
    struct connection *connection = request->connection;
    struct group *group = request->group;
    settle(gateway, request);
    give_back(gateway, request);
    if (connection && group) {
        group_answered(group, connection);
    }
    if (connection) {
        connection_settled(connection);
    }
    return true;
}

static void error_begin(struct json_out *out, enum request_code code, const char *sentence)
{
    json_out_key(out, "error");
    json_out_object(out);
    json_out_key(out, "code");
    json_out_int(out, code);
    json_out_key(out, "message");
    json_out_text_bytes(out, sentence, strlen(sentence));
}

void request_fail_with(struct request *request, enum request_code code, const char *sentence,
                       const char *limit, uint32_t retry_ms)
{
    if (is_unheard(request)) {
        return;
    }
    static const char *const outcomes[] = {"crashed", "timeout", "aborted",     "denied",  "busy",
                                           "stale",   "open",    "unavailable", "stopping"};
    struct answer answer = answer_begin(request);
    error_begin(answer.out, code, sentence);
    if (code <= CODE_CRASHED && code >= CODE_STOPPING) {
        json_out_key(answer.out, "data");
        json_out_object(answer.out);
        json_out_key(answer.out, "outcome");
        json_out_string(answer.out, outcomes[CODE_CRASHED - code]);
        if (limit) {
            json_out_key(answer.out, "limit");
            json_out_string(answer.out, limit);
        }
        if (retry_ms > 0) {
            json_out_key(answer.out, "retry_after_ms");
            json_out_uint(answer.out, retry_ms);
        }
        json_out_object_end(answer.out);
    }
    json_out_object_end(answer.out);
    answer_end(request, &answer);
}

void request_fail(struct request *request, enum request_code code, const char *sentence)
{
    request_fail_with(request, code, sentence, NULL, 0);
}

static enum request_code code_of(int outcome)
{
    static const enum request_code codes[] = {
        [CORDON_CRASHED] = CODE_CRASHED, [CORDON_TIMEOUT] = CODE_TIMEOUT,
        [CORDON_ABORTED] = CODE_ABORTED, [CORDON_DENIED] = CODE_DENIED,
        [CORDON_BUSY] = CODE_BUSY,       [CORDON_STALE] = CODE_STALE,
        [CORDON_OPEN] = CODE_OPEN,
    };
    if (outcome >= CORDON_CRASHED && outcome <= CORDON_OPEN) {
        return codes[outcome];
    }
    switch (outcome) {
    case -EINVAL:
    case -E2BIG:
    case -ENOSPC:
        return CODE_PARAMETERS;
    case -ETIMEDOUT:
        return CODE_TIMEOUT;
    default:
        return CODE_INTERNAL;
    }
}

static void write_violations(struct json_out *out, struct seat *seat, uint32_t count)
{
    struct cordon_violation listed[8];
    uint64_t ever;
    size_t most = sizeof listed / sizeof listed[0];
    size_t known =
        seat->session ? cordon_session_violations(seat->session, listed, most, &ever) : 0;
    size_t first = known > count ? known - count : 0;
    json_out_key(out, "violations");
    json_out_array(out);
    for (size_t i = first; i < known; i++) {
        json_out_object(out);
        json_out_key(out, "act");
        json_out_string(out, listed[i].act);
        json_out_key(out, "grant");
        json_out_string(out, listed[i].grant);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static struct seat *seat_of(const struct request *request)
{
    return request->guest ? request->guest->own ? request->guest->own : request->guest->last_seat
                          : NULL;
}

/* What of the outcome machines want to know. */
static void write_data(struct json_out *out, int outcome, const struct cordon_result *result)
{
    json_out_key(out, "data");
    json_out_object(out);
    json_out_key(out, "outcome");
    json_out_string(out, cordon_outcome_name(outcome));
    if (outcome == CORDON_CRASHED && result->signal != 0) {
        json_out_key(out, "signal");
        json_out_int(out, result->signal);
    } else if (outcome == CORDON_CRASHED) {
        json_out_key(out, "exit_status");
        json_out_int(out, result->exit_status);
    }
    if (outcome <= CORDON_DENIED && result->report != 0) {
        char id[32];
        (void)snprintf(id, sizeof id, "%llu", (unsigned long long)result->report);
        json_out_key(out, "report");
        json_out_string(out, id);
    }
    if (outcome >= CORDON_BUSY && result->retry_after_ms > 0) {
        json_out_key(out, "retry_after_ms");
        json_out_uint(out, result->retry_after_ms);
    }
    json_out_object_end(out);
}

static void end_badly(struct request *request, int outcome, const struct cordon_result *result)
{
    struct answer answer = answer_begin(request);
    error_begin(answer.out, code_of(outcome), result->error.text);
    if (outcome > CORDON_DONE) {
        write_data(answer.out, outcome, result);
    }
    json_out_object_end(answer.out);
    answer_end(request, &answer);
}

/* Handles of the client, by its connection's names. */
struct naming {
    struct request *request;
    uint32_t worker;
};

static void give_handle(void *context, struct cordon_handle handle, const char *type_name,
                        struct json_out *out)
{
    struct naming *naming = context;
    struct connection *connection = naming->request->connection;
    char name[HANDLES_NAME_BYTES];
    (void)type_name;
    if (handle.worker == 0) {
        handle.worker = naming->worker;
    }
    if (handles_name(&connection->handles, naming->request->method->house, handle, name) == 0) {
        json_out_text_bytes(out, name, sizeof name);
    } else {
        out->failed = true;
    }
}

static void forget_handle(void *context, struct cordon_handle handle)
{
    struct naming *naming = context;
    handles_forget(&naming->request->connection->handles, naming->request->method->house, handle);
}

/* The worker that was called: handles inside memory do not say it. 0: none of the others does. */
static uint32_t worker_of(const struct request *request, const struct cordon_result *result)
{
    if (result->value.kind == CORDON_VALUE_HANDLE) {
        return result->value.handle.worker;
    }
    for (size_t i = 0; i < request->call.arg_count; i++) {
        if (request->call.args[i].kind == CORDON_VALUE_HANDLE) {
            return request->call.args[i].handle.worker;
        }
    }
    return 0;
}

static void end_well(struct request *request, const struct cordon_result *result)
{
    struct naming naming = {.request = request, .worker = worker_of(request, result)};
    struct json_hooks hooks = {.context = &naming, .give = give_handle, .released = forget_handle};
    struct answer answer = answer_begin(request);
    json_out_key(answer.out, "result");
    json_call_result(&request->call, result, &hooks, answer.out);
    if (request->method->settings.tells_errno && result->error_number != 0) {
        json_out_key(answer.out, "errno");
        json_out_int(answer.out, result->error_number);
    }
    /* The bare form is for clients that know nothing but results. */
    struct seat *seat = request->is_rpc && result->violations > 0 ? seat_of(request) : NULL;
    if (seat) {
        write_violations(answer.out, seat, result->violations);
    }
    answer_end(request, &answer);
}

static void tell_log(const struct request *request, int outcome, const struct cordon_result *result)
{
    const struct method *method = request->method;
    if (outcome >= CORDON_CRASHED && outcome <= CORDON_DENIED && outcome != CORDON_ABORTED) {
        log_say(LOG_WARNING, cordon_outcome_name(outcome), method->house->settings.name, "%s: %s",
                method->settings.name, result->error.text);
    }
}

void request_end(struct request *request, int outcome, const struct cordon_result *result)
{
    tell_log(request, outcome, result);
    if (!is_unheard(request)) {
        if (outcome == CORDON_DONE) {
            end_well(request, result);
        } else {
            end_badly(request, outcome, result);
        }
    }
    if (outcome == CORDON_DONE) {
        cordon_result_release((struct cordon_result *)(uintptr_t)result);
    }
}

static struct answer own_answer; /* of the one that is between begin and end */

struct json_out *request_result_begin(struct request *request)
{
    if (is_unheard(request)) {
        return NULL;
    }
    own_answer = answer_begin(request);
    json_out_key(own_answer.out, "result");
    return own_answer.out;
}

void request_result_end(struct request *request)
{
    answer_end(request, &own_answer);
}
