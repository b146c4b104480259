/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cordon/outcome.h"
#include "cordon/violation.h"
#include "gateway/connection.h"
#include "gateway/guest.h"
#include "gateway/house.h"
#include "gateway/log.h"
#include "gateway/request.h"
#include "gateway/seat.h"

static void error_begin(struct json_out *out, enum request_code code, const char *sentence)
{
    json_out_key(out, "error");
    json_out_object(out);
    json_out_key(out, "code");
    json_out_int(out, code);
    json_out_key(out, "message");
    json_out_text_bytes(out, sentence, strlen(sentence));
}

/* The outcome's name, and what else machines want to know, in an object that stays open. False: the code has none. */
static bool data_begin(struct json_out *out, enum request_code code)
{
    static const char *const outcomes[] = {"crashed",  "timeout",   "aborted", "denied",
                                           "busy",     "stale",     "open",    "unavailable",
                                           "stopping", "forbidden", "refused"};
    if (code > CODE_CRASHED || code < CODE_REFUSED) {
        return false;
    }
    json_out_key(out, "data");
    json_out_object(out);
    json_out_key(out, "outcome");
    json_out_string(out, outcomes[CODE_CRASHED - code]);
    return true;
}

void request_fail_with(struct request *request, enum request_code code, const char *sentence,
                       const char *limit, uint32_t retry_ms)
{
    if (answer_is_unheard(request)) {
        return;
    }
    struct answer answer = answer_begin(request);
    answer.is_error = true;
    error_begin(answer.out, code, sentence);
    if (data_begin(answer.out, code)) {
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

static struct answer error_answer; /* of the one that is between begin and end */

struct json_out *request_error_begin(struct request *request, enum request_code code,
                                     const char *sentence)
{
    if (answer_is_unheard(request)) {
        return NULL;
    }
    error_answer = answer_begin(request);
    error_begin(error_answer.out, code, sentence);
    (void)data_begin(error_answer.out, code);
    return error_answer.out;
}

void request_error_end(struct request *request)
{
    json_out_object_end(error_answer.out);
    json_out_object_end(error_answer.out);
    answer_end(request, &error_answer);
}

void request_refuse_handles(struct request *request)
{
    request_fail_with(request, CODE_BUSY, "as many handles are open as may be", "handles", 0);
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
        (void)snprintf(id, sizeof id, "%016" PRIx64, result->report);
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
    bool is_full; /* one more than may be */
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
    int r = handles_name(&connection->handles, naming->request->method->house, handle, name);
    if (r == 0) {
        json_out_text_bytes(out, name, sizeof name);
    } else {
        naming->is_full = r == -ENOBUFS;
        out->failed = !naming->is_full;
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
    if (naming.is_full) { /* what was made stays in its worker, without a name */
        json_out_rewind(answer.out, answer.mark);
        request_refuse_handles(request);
        return;
    }
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

/* Handles that are gone with their worker count no more. */
static void forget_stale(const struct request *request, int outcome)
{
    const struct house *house = request->method->house;
    struct handles *handles = &request->connection->handles;
    bool died = outcome >= CORDON_CRASHED && outcome <= CORDON_DENIED;
    if (died && request->guest && request->guest->own) {
        handles_forget_house(handles, house);
    }
    for (size_t i = 0; outcome == CORDON_STALE && i < request->call.arg_count; i++) {
        if (request->call.args[i].kind == CORDON_VALUE_HANDLE) {
            handles_forget(handles, house, request->call.args[i].handle);
        }
    }
}

static void tell_log(const struct request *request, int outcome, const struct cordon_result *result)
{
    const struct method *method = request->method;
    if (outcome >= CORDON_CRASHED && outcome <= CORDON_DENIED && outcome != CORDON_ABORTED) {
        char id[32];
        (void)snprintf(id, sizeof id, "%016" PRIx64, result->report);
        struct log_field fields[] = {
            {.key = "method", .text = method->settings.name},
            {.key = result->report != 0 ? "report" : NULL, .text = id},
            {0},
        };
        log_say_with(LOG_WARNING, cordon_outcome_name(outcome), method->house->settings.name,
                     fields, "%s: %s", method->settings.name, result->error.text);
    }
}

void request_end(struct request *request, int outcome, const struct cordon_result *result)
{
    tell_log(request, outcome, result);
    if (request->connection) {
        forget_stale(request, outcome);
    }
    if (!answer_is_unheard(request)) {
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
