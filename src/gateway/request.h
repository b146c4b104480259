/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_REQUEST_H
#define GATEWAY_REQUEST_H

/*
 * Request: what a client asked, from its frame to its answer. It is answered once: by a result or by an
 * error; if its client has gone, by nothing.
 *
 * Threads: the loop's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cordon/batch.h"
#include "json/call.h"

struct connection;
struct gateway;
struct guest;
struct method;
struct seat;

/* A JSON-RPC batch: one answer for all of its members. */
struct group {
    uint32_t open; /* members that are not answered, and one while it is being read */
    size_t bytes;  /* of answers in it, as its connection counts them */
    struct json_out out;
};

/* JSON-RPC's codes, and ours. */
enum request_code {
    CODE_PARSE = -32700,
    CODE_INVALID = -32600,
    CODE_NO_METHOD = -32601,
    CODE_PARAMETERS = -32602,
    CODE_INTERNAL = -32603,
    CODE_CRASHED = -32001,
    CODE_TIMEOUT = -32002,
    CODE_ABORTED = -32003,
    CODE_DENIED = -32004,
    CODE_BUSY = -32005,
    CODE_STALE = -32006,
    CODE_OPEN = -32007,
    CODE_UNAVAILABLE = -32008,
    CODE_STOPPING = -32009,
    CODE_FORBIDDEN = -32010,
    CODE_REFUSED = -32011,
};

struct request {
    struct request *next; /* where it waits, or is in flight */
    struct request *previous;
    struct gateway *gateway;
    struct connection *connection; /* NULL: gone */
    struct request *mate;          /* the next one of the connection's */
    struct request *mate_previous;
    struct group *group;
    bool is_rpc;
    bool formless; /* in neither form, as far as was to be seen: its answer is one of both */
    bool silent;   /* a notification */
    bool ended;    /* answered; bare ones may wait for their turn to be sent */
    struct json_out id;
    struct json_out held; /* the answer, until its turn */

    struct method *method; /* NULL: one of the daemon's own */
    struct guest *guest;
    struct json_call call;
    struct cordon_pending *pending;
    uint64_t arrived_ns;
    uint64_t deadline_ns;
    uint64_t began_ns;    /* given to its seat */
    uint64_t expected_ns; /* what it was expected to take then */
    uint32_t resent;      /* how often its worker had ended before it began */
};

/* From the gateway's store; of @connection, counted. NULL: no memory. */
struct request *request_new(struct gateway *gateway, struct connection *connection);

/* Answers. Each gives the request back: it is gone for the caller. */
void request_fail(struct request *request, enum request_code code, const char *sentence);
void request_fail_with(struct request *request, enum request_code code, const char *sentence,
                       const char *limit, uint32_t retry_ms);
/* The connection has as many handles as it may. */
void request_refuse_handles(struct request *request);
/* What the call ended by: an outcome or negative errno, and all about it. */
void request_end(struct request *request, int outcome, const struct cordon_result *result);
/* The daemon's own methods write their result to what begin returns: one value. NULL: nobody wants it. */
struct json_out *request_result_begin(struct request *request);
void request_result_end(struct request *request);

/* An error of ours (CODE_CRASHED and on), whose `data` goes on: keys of that object. NULL: nobody wants it. */
struct json_out *request_error_begin(struct request *request, enum request_code code,
                                     const char *sentence);
void request_error_end(struct request *request);

/* Its connection goes: nobody waits for its answer. One that is not in flight is to be dropped as well. */
void request_orphan(struct request *request);
void request_drop(struct request *request);

/* The batch has been read: when all members are answered, so is it. */
void group_close(struct group *group, struct connection *connection);

/* All of the gateway's store. */
void requests_free(struct gateway *gateway);

#endif
