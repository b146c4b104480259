/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/exposition.h"
#include "gateway/gateway.h"
#include "gateway/http_address.h"
#include "gateway/http_library.h"
#include "gateway/http_question.h"
#include "gateway/http_visitors.h"
#include "gateway/metrics.h"
#include "gateway/page.h"

#define CONNECTIONS  128u
#define SILENCE_S    5u
#define MEMORY_BYTES (32u * 1024u) /* of one connection: its request's head is at most as long */
#define LOOK_MS      1000u         /* how often slow connections are looked for */

struct http {
    struct MHD_Daemon *server;
    struct http_address address;
    struct visitors visitors;
    struct questions questions;
    uv_timer_t look;
    unsigned users; /* in the loop: the questions, the timer */
};

/* ---- Responses ---------------------------------------------------------------------------------- */

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                               void *body, size_t length, enum MHD_ResponseMemoryMode mode)
{
    static const char *const headers[][2] = {
        {"Cache-Control", "no-store"},
        {"Content-Security-Policy", PAGE_POLICY},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
    };
    struct MHD_Response *response = http_library.create_response_from_buffer(length, body, mode);
    if (!response) {
        return MHD_NO;
    }
    (void)http_library.add_response_header(response, "Content-Type", type);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        (void)http_library.add_response_header(response, headers[i][0], headers[i][1]);
    }
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)http_library.add_response_header(response, "Allow", "GET, HEAD");
    }
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        (void)http_library.add_response_header(response, "Retry-After", "1");
    }
    enum MHD_Result r = http_library.queue_response(connection, status, response);
    http_library.destroy_response(response);
    return r;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *sentence)
{
    return respond(connection, status, "text/plain; charset=utf-8", (void *)(uintptr_t)sentence,
                   strlen(sentence), MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int result)
{
    switch (result) {
    case -ENOENT:
        return say(
            connection, MHD_HTTP_NOT_FOUND,
            "no such cell, or no such report of one; of many crashes at once some are left out\n");
    case -EINPROGRESS:
        return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                   "this report is still being written\n");
    case -EFBIG:
        return say(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
                   "this report is too large: 'cordon report' shows it\n");
    case -EBADMSG:
        return say(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "this file is no report\n");
    case -ESHUTDOWN:
        return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon stops\n");
    default:
        return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon is busy\n");
    }
}

/* An answered question's text goes with the response. */
static enum MHD_Result respond_to(struct question *question, struct MHD_Connection *connection)
{
    const char *type = "application/json";
    if (question->result != 0) {
        return refuse(connection, question->result);
    }
    if (question->kind == QUESTION_METRICS) {
        struct exposition x = {.out = &question->text, .is_openmetrics = question->is_openmetrics};
        metrics_write_process(&x);
        exposition_end(&x);
        type = question->is_openmetrics
                   ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                   : "text/plain; version=0.0.4; charset=utf-8";
    }
    if (!json_out_text(&question->text)) {
        return refuse(connection, -ENOMEM);
    }
    char *text = question->text.text;
    size_t length = question->text.length;
    question->text = (struct json_out){0};
    return respond(connection, MHD_HTTP_OK, type, text, length, MHD_RESPMEM_MUST_FREE);
}

/* ---- Requests ----------------------------------------------------------------------------------- */

struct field_counts {
    unsigned hosts;
    unsigned lengths;
    unsigned encodings;
};

static enum MHD_Result count_field(void *context, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    struct field_counts *counts = context;
    (void)kind;
    (void)value;
    counts->hosts += strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0;
    counts->lengths += strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    counts->encodings += strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    return MHD_YES;
}

/* What is wrong with a request's head, whoever sent it; NULL: nothing. */
static const char *find_fault(const struct field_counts *counts, const char *version)
{
    if (counts->hosts > 1 || (counts->hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_0) != 0)) {
        return "one Host, please\n"; /* old clients name none */
    }
    if (counts->lengths + counts->encodings > 1) {
        return "where the request ends is said twice\n";
    }
    return NULL;
}

/* A Unix socket is reached by no browser. */
static bool is_our_host(const struct http *http, struct MHD_Connection *connection)
{
    const char *host = http_library.lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    return http->address.path || !host || http_address_is_ours(host);
}

static bool wants_openmetrics(struct MHD_Connection *connection)
{
    const char *accept =
        http_library.lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    return accept && strstr(accept, "application/openmetrics-text");
}

/* ?cell=NAME&count=N. False: no count. */
static bool read_list_wish(struct MHD_Connection *connection, struct question *question)
{
    const char *cell =
        http_library.lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "cell");
    const char *count =
        http_library.lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "count");
    char *end = NULL;
    unsigned long most = count ? strtoul(count, &end, 10) : REPORTS_LISTED;
    if (count &&
        (*count < '0' || *count > '9' || *end != '\0' || most == 0 || most > REPORTS_LISTED_MAX)) {
        return false;
    }
    question->wish.most = (uint32_t)most;
    question->cell = cell ? strdup(cell) : NULL;
    return !cell || question->cell;
}

/* Something to be asked of the loop, or a response that needs nothing of it. */
static enum MHD_Result route(struct http *http, struct MHD_Connection *connection, const char *url,
                             void **state)
{
    static const char reports[] = "/reports";
    const char *rest = url + sizeof reports - 1;
    bool is_report = strncmp(url, reports, sizeof reports - 1) == 0 &&
                     (*rest == '\0' || (rest[0] == '/' && rest[1] != '\0'));
    if (strcmp(url, "/") == 0) {
        return respond(connection, MHD_HTTP_OK, "text/html; charset=utf-8",
                       (void *)(uintptr_t)page_text, (size_t)(page_end - page_text),
                       MHD_RESPMEM_PERSISTENT);
    }
    if (!is_report && strcmp(url, "/metrics") != 0 && strcmp(url, "/stats") != 0) {
        return say(connection, MHD_HTTP_NOT_FOUND,
                   "there are /, /metrics, /stats, /reports and /reports/ID\n");
    }
    struct question *question = question_new(&http->questions, is_report       ? QUESTION_REPORTS
                                                               : url[1] == 'm' ? QUESTION_METRICS
                                                                               : QUESTION_STATS);
    if (!question) {
        return refuse(connection, -ENOMEM);
    }
    *state = question;
    question->is_openmetrics = wants_openmetrics(connection);
    if (is_report && *rest == '/' &&
        !reports_parse_id(rest + 1, &question->wish.id, &question->wish.part)) {
        return say(connection, MHD_HTTP_NOT_FOUND, "this is no report's id\n");
    }
    if (is_report && *rest == '\0' && !read_list_wish(connection, question)) {
        return say(connection, MHD_HTTP_BAD_REQUEST, "'count' is a number from 1 to 256\n");
    }
    return MHD_YES;
}

/* Called when a request's head has come, for each piece of what follows it, at its end, and when it was answered. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **state)
{
    struct http *http = context;
    struct question *question = *state;
    (void)upload;
    if (!question) {
        struct field_counts counts = {0};
        (void)http_library.get_connection_values(connection, MHD_HEADER_KIND, count_field, &counts);
        const char *fault = find_fault(&counts, version);
        if (fault) {
            return say(connection, MHD_HTTP_BAD_REQUEST, fault);
        }
    }
    if (!question && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    if (!question && !is_our_host(http, connection)) {
        return say(connection, MHD_HTTP_FORBIDDEN, "not under this name\n");
    }
    if (!question) {
        return route(http, connection, url, state);
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0; /* nobody wants it */
        return MHD_YES;
    }
    if (question->connection) {
        return respond_to(question, connection);
    }
    return question_put(question, connection) ? MHD_YES : refuse(connection, -ESHUTDOWN);
}

static struct visitor *visitor_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        http_library.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct http *http = context;
    (void)code;
    if (*state) {
        question_free(*state);
        *state = NULL;
    }
    visitor_rest(&http->visitors, visitor_of(connection));
}

static void on_connection(void *context, struct MHD_Connection *connection, void **visitor,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    const union MHD_ConnectionInfo *info =
        http_library.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        visitor_leave(&http->visitors, *visitor);
        *visitor = NULL;
    } else if (info) {
        *visitor = visitor_enter(&http->visitors, info->connect_fd);
    }
}

/* ---- Life --------------------------------------------------------------------------------------- */

static void on_look(uv_timer_t *timer)
{
    struct http *http = timer->data;
    visitors_cut(&http->visitors, clock_now_ns());
}

static void leave(struct http *http)
{
    if (--http->users == 0) {
        visitors_deinit(&http->visitors);
        free(http);
    }
}

static void on_look_closed(uv_handle_t *handle)
{
    leave(handle->data);
}

static void on_questions_gone(struct questions *questions)
{
    leave((struct http *)((char *)questions - offsetof(struct http, questions)));
}

void http_stop(struct http *http)
{
    if (!http) {
        return;
    }
    questions_stop(&http->questions);
    if (http->server) {
        http_library.stop_daemon(http->server);
    }
    http_address_release(&http->address);
    questions_close(&http->questions);
    uv_close((uv_handle_t *)&http->look, on_look_closed);
}

static struct MHD_Daemon *start_server(struct http *http, int fd)
{
    return http_library.start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, http,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
}

int http_start(struct gateway *gateway, const char *address, struct http **ret_http,
               struct message *why)
{
    int fd = -1;
    struct message reason;
    struct http *http = calloc(1, sizeof *http);
    if (!http) {
        return message_set(why, -ENOMEM, "http: not enough memory");
    }
    int r = http_library_load(&reason);
    if (r != 0) {
        free(http);
        return message_set(why, r, "http: %s", reason.text);
    }
    r = http_address_listen(address, &fd, &http->address, why);
    if (r != 0) {
        free(http);
        return r;
    }
    r = questions_init(&http->questions, gateway, on_questions_gone);
    if (r != 0) {
        (void)close(fd);
        http_address_release(&http->address);
        free(http);
        return message_set(why, r, "http: %s", uv_strerror(r));
    }
    http->users = 2;
    http->look.data = http;
    visitors_init(&http->visitors);
    (void)uv_timer_init(gateway->loop, &http->look);
    (void)uv_timer_start(&http->look, on_look, LOOK_MS, LOOK_MS);
    http->server = start_server(http, fd);
    if (!http->server) {
        (void)close(fd);
        http_stop(http);
        return message_set(why, -EIO, "http: the server cannot be started at %s", address);
    }
    *ret_http = http;
    return 0;
}
