/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/answer.h"
#include "gateway/connection.h"
#include "gateway/gateway.h"

#define MEMBER_BYTES 512u   /* of an error, about: the answer of a batch keeps room for them */
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
    request->gateway = gateway;
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
    connection->asked++;
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

void request_orphan(struct request *request)
{
    if (request->group && --request->group->open == 0) {
        json_out_deinit(&request->group->out);
        free(request->group);
    }
    request->group = NULL;
    if (request->ended) { /* only its turn was missing */
        settle(request->connection->gateway, request);
        give_back(request->connection->gateway, request);
        return;
    }
    unlink_mate(request);
    request->guest = NULL;
}

void request_drop(struct request *request)
{
    struct gateway *gateway = request->gateway;
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

/* What JSON-RPC has beside a result or an error. */
static void put_head(struct json_out *out, const struct request *request)
{
    json_out_key(out, "jsonrpc");
    json_out_string(out, "2.0");
    json_out_key(out, "id");
    if (request->formless) {
        json_out_null(out);
        return;
    }
    char *id = json_out_raw(out, request->id.length);
    if (id) {
        memcpy(id, request->id.text, request->id.length);
    }
    out->comma = true;
}

struct answer answer_begin(struct request *request)
{
    struct answer answer = {0};
    if (request->group) {
        answer.out = &request->group->out;
        answer.mark = json_out_mark(answer.out);
    } else if (!request->is_rpc && has_elder(request)) {
        answer.out = &request->held;
        answer.mark = json_out_mark(answer.out);
    } else {
        answer.out = &request->connection->outlet.out;
        answer.mark = json_out_mark(answer.out);
        answer.frame = connection_frame_begin(request->connection);
        answer.is_frame = true;
    }
    json_out_object(answer.out);
    if (request->is_rpc || request->formless) {
        put_head(answer.out, request);
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
            connection->kept_bytes -= request->held.length;
            char *text = json_out_raw(&connection->outlet.out, request->held.length);
            if (text) {
                memcpy(text, request->held.text, request->held.length);
            }
            outlet_frame_end(&connection->outlet, frame);
            settle(connection->gateway, request);
            give_back(connection->gateway, request);
        }
        request = next;
    }
}

/* Not even an error can be told: the connection is of no use. It ends when it is flushed. */
static void give_up(struct connection *connection)
{
    (void)connection_frame_begin(connection);
    connection->outlet.lost = true;
}

static void group_answered(struct group *group, struct connection *connection)
{
    if (--group->open > 0) {
        return;
    }
    connection->kept_bytes -= group->bytes;
    json_out_array_end(&group->out);
    if (group->out.failed) {
        give_up(connection);
    } else if (group->out.length > 2) { /* "[]": notifications alone */
        size_t frame = connection_frame_begin(connection);
        char *text = json_out_raw(&connection->outlet.out, group->out.length);
        if (text) {
            memcpy(text, group->out.text, group->out.length);
        }
        outlet_frame_end(&connection->outlet, frame);
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
    request->ended = true;
    if (!waits) {
        bool bare = !request->is_rpc;
        settle(gateway, request);
        give_back(gateway, request);
        if (group) {
            group_answered(group, connection);
        } else if (bare) {
            send_held(connection);
        }
    }
    connection_settled(connection);
}

/* Bytes that its frame would have by now; members of a batch that have yet to come need some, too. */
static size_t frame_bytes(const struct request *request, const struct answer *answer)
{
    const struct group *group = request->group;
    if (!group) {
        return answer->out->length - answer->mark.length;
    }
    size_t others = (size_t)group->open * MEMBER_BYTES;
    size_t most = request->gateway->limits.frame_bytes / 4;
    return answer->out->length + (others < most ? others : most);
}

static void count_kept(struct request *request, const struct answer *answer)
{
    size_t bytes = answer->out->length - answer->mark.length;
    request->connection->kept_bytes += bytes;
    if (request->group) {
        request->group->bytes += bytes;
    }
}

void answer_end(struct request *request, struct answer *answer)
{
    struct connection *connection = request->connection;
    size_t most = connection->gateway->limits.frame_bytes;
    json_out_object_end(answer->out);
    bool memory = answer->out->failed;
    if (!answer->is_error && (memory || frame_bytes(request, answer) > most)) {
        json_out_rewind(answer->out, answer->mark);
        request_fail(request, CODE_INTERNAL,
                     memory ? "not enough memory for the answer"
                            : "the answer is larger than frame_bytes");
        return;
    }
    if (memory && !answer->is_frame) {
        json_out_rewind(answer->out, answer->mark);
        give_up(connection);
    }
    if (answer->is_frame) {
        outlet_frame_end(&connection->outlet, answer->frame);
    } else {
        count_kept(request, answer);
    }
    answer_done(request);
}

bool answer_is_unheard(struct request *request)
{
    if (request->connection && !request->connection->closing && !request->silent) {
        return false;
    }
    struct gateway *gateway = request->gateway;
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

static struct answer own_answer; /* of the one that is between begin and end */

struct json_out *request_result_begin(struct request *request)
{
    if (answer_is_unheard(request)) {
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
