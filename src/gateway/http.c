/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "gateway/gateway.h"
#include "gateway/page.h"
#include "gateway/stats.h"

#define WAIT_MS      1000u
#define CONNECTIONS  32u
#define PER_ADDRESS  16u
#define TIMEOUT_S    10u
#define MEMORY_BYTES (32u * 1024u) /* of one connection */

enum text_kind {
    TEXT_METRICS,
    TEXT_STATS,
    TEXT_KINDS,
};

/* What was written for those who asked: @done counts the times. */
struct text {
    char *bytes;
    size_t length;
    uint64_t asked;
    uint64_t done;
};

struct http {
    struct gateway *gateway;
    struct MHD_Daemon *server;
    uv_async_t ask;
    pthread_mutex_t lock; /* guards the texts and `stopped` */
    pthread_cond_t written;
    struct text texts[TEXT_KINDS];
    bool stopped;
    char *path; /* of a Unix socket */
};

static void write_text(const struct http *http, enum text_kind kind, struct json_out *out)
{
    if (kind == TEXT_METRICS) {
        stats_write_metrics(http->gateway, out);
    } else {
        stats_write(http->gateway, NULL, out);
    }
}

/* In the loop. */
static void on_ask(uv_async_t *ask)
{
    struct http *http = ask->data;
    (void)pthread_mutex_lock(&http->lock);
    for (int kind = 0; kind < TEXT_KINDS; kind++) {
        struct text *text = &http->texts[kind];
        if (text->asked == text->done) {
            continue;
        }
        struct json_out out = {0};
        write_text(http, (enum text_kind)kind, &out);
        free(text->bytes);
        text->bytes = out.failed ? NULL : out.text;
        text->length = out.failed ? 0 : out.length;
        if (out.failed) {
            json_out_deinit(&out);
        }
        text->done = text->asked;
    }
    (void)pthread_cond_broadcast(&http->written);
    (void)pthread_mutex_unlock(&http->lock);
}

/* A copy of a text that was written after this call began; NULL: the loop has no time, or no memory. */
static char *fetch(struct http *http, enum text_kind kind, size_t *ret_length)
{
    struct text *text = &http->texts[kind];
    char *copy = NULL;
    struct timespec until = clock_timespec(clock_after_ns(WAIT_MS * CLOCK_MS_NS));
    (void)pthread_mutex_lock(&http->lock);
    uint64_t mine = ++text->asked;
    if (!http->stopped && uv_async_send(&http->ask) == 0) {
        int r = 0;
        while (text->done < mine && !http->stopped && r == 0) {
            r = pthread_cond_clockwait(&http->written, &http->lock, CLOCK_MONOTONIC, &until);
        }
        if (text->done >= mine && text->bytes) {
            copy = malloc(text->length + 1);
            if (copy) {
                memcpy(copy, text->bytes, text->length);
                *ret_length = text->length;
            }
        }
    }
    (void)pthread_mutex_unlock(&http->lock);
    return copy;
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                               void *body, size_t length, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(length, body, mode);
    if (!response) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type", type);
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Content-Security-Policy",
                                  "default-src 'none'; style-src 'unsafe-inline'; script-src "
                                  "'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'");
    enum MHD_Result r = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *sentence)
{
    return respond(connection, status, "text/plain; charset=utf-8", (void *)(uintptr_t)sentence,
                   strlen(sentence), MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result give(struct http *http, struct MHD_Connection *connection,
                            enum text_kind kind, const char *type)
{
    size_t length = 0;
    char *text = fetch(http, kind, &length);
    return text ? respond(connection, MHD_HTTP_OK, type, text, length, MHD_RESPMEM_MUST_FREE)
                : say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon is busy\n");
}

/* A page of another site, opened in a browser here, must not read this one by a name of its own. */
static bool is_our_host(struct http *http, struct MHD_Connection *connection)
{
    static const char *const ours[] = {"localhost", "127.", "[::1]"};
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    for (size_t i = 0; host && i < sizeof ours / sizeof ours[0]; i++) {
        if (strncmp(host, ours[i], strlen(ours[i])) == 0) {
            return true;
        }
    }
    return !host || http->path;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **state)
{
    struct http *http = context;
    (void)version;
    (void)upload;
    if (!*state) {
        static int begun;
        *state = &begun;
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0; /* nobody wants it */
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    if (!is_our_host(http, connection)) {
        return say(connection, MHD_HTTP_FORBIDDEN, "not under this name\n");
    }
    if (strcmp(url, "/metrics") == 0) {
        return give(http, connection, TEXT_METRICS, "text/plain; version=0.0.4; charset=utf-8");
    }
    if (strcmp(url, "/stats") == 0) {
        return give(http, connection, TEXT_STATS, "application/json");
    }
    if (strcmp(url, "/") == 0) {
        return respond(connection, MHD_HTTP_OK, "text/html; charset=utf-8",
                       (void *)(uintptr_t)page_text, (size_t)(page_end - page_text),
                       MHD_RESPMEM_PERSISTENT);
    }
    return say(connection, MHD_HTTP_NOT_FOUND, "there are /, /metrics and /stats\n");
}

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un path;
    } as;
    socklen_t bytes;
};

static bool parse_port(const char *text, in_port_t *ret_port)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    *ret_port = htons((in_port_t)port);
    return *text != '\0' && *end == '\0' && port > 0 && port <= 65535;
}

static bool parse_host(const char *host, in_port_t port, struct address *address)
{
    if (inet_pton(AF_INET, host, &address->as.v4.sin_addr) == 1) {
        address->as.v4.sin_family = AF_INET;
        address->as.v4.sin_port = port;
        address->bytes = sizeof address->as.v4;
        return ntohl(address->as.v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, host, &address->as.v6.sin6_addr) == 1) {
        address->as.v6.sin6_family = AF_INET6;
        address->as.v6.sin6_port = port;
        address->bytes = sizeof address->as.v6;
        return IN6_IS_ADDR_LOOPBACK(&address->as.v6.sin6_addr);
    }
    return false;
}

static bool parse_address(const char *text, struct address *address)
{
    char host[64];
    in_port_t port;
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[' && colon && colon > text && colon[-1] == ']';
    if (!colon || !parse_port(colon + 1, &port)) {
        return false;
    }
    size_t length = (size_t)(colon - text) - (bracketed ? 2 : 0);
    if (length >= sizeof host) {
        return false;
    }
    memcpy(host, text + (bracketed ? 1 : 0), length);
    host[length] = '\0';
    return parse_host(host, port, address);
}

static int bind_to(struct http *http, const char *text, int *ret_fd, struct message *why)
{
    struct address address = {.bytes = 0};
    mode_t before = 0;
    if (strncmp(text, "unix:", 5) == 0) {
        const char *path = text + 5;
        if (strlen(path) >= sizeof address.as.path.sun_path) {
            return message_set(why, -ENAMETOOLONG, "http: the path is too long: %s", path);
        }
        address.as.path.sun_family = AF_UNIX;
        (void)snprintf(address.as.path.sun_path, sizeof address.as.path.sun_path, "%s", path);
        address.bytes = sizeof address.as.path;
        http->path = strdup(path);
        (void)unlink(path); /* the gateway's lock is ours: nobody else serves it */
        before = umask(0177);
    } else if (!parse_address(text, &address)) {
        return message_set(why, -EINVAL,
                           "http: '%s' is no loopback address with a port (127.0.0.1:9464, "
                           "[::1]:9464), and no unix:/path",
                           text);
    }
    int one = 1;
    OWN_FD fd = socket(address.as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = fd < 0 ? -errno : 0;
    if (r == 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        r = bind(fd, &address.as.any, address.bytes) == 0 && listen(fd, (int)CONNECTIONS) == 0
                ? 0
                : -errno;
    }
    if (http->path) {
        (void)umask(before);
    }
    if (r != 0) {
        return message_set(why, r, "http: cannot listen at %s: %s", text, strerror(-r));
    }
    *ret_fd = take_fd(&fd);
    return 0;
}

static void http_free(struct http *http)
{
    for (int kind = 0; kind < TEXT_KINDS; kind++) {
        free(http->texts[kind].bytes);
    }
    if (http->path) {
        (void)unlink(http->path);
    }
    free(http->path);
    (void)pthread_cond_destroy(&http->written);
    (void)pthread_mutex_destroy(&http->lock);
    free(http);
}

static void on_closed(uv_handle_t *handle)
{
    http_free(handle->data);
}

void http_stop(struct http *http)
{
    if (!http) {
        return;
    }
    (void)pthread_mutex_lock(&http->lock);
    http->stopped = true;
    (void)pthread_cond_broadcast(&http->written);
    (void)pthread_mutex_unlock(&http->lock);
    if (http->server) {
        MHD_stop_daemon(http->server);
    }
    uv_close((uv_handle_t *)&http->ask, on_closed);
}

int http_start(struct gateway *gateway, const char *address, struct http **ret_http,
               struct message *why)
{
    struct http *http = calloc(1, sizeof *http);
    if (!http) {
        return message_set(why, -ENOMEM, "http: not enough memory");
    }
    http->gateway = gateway;
    http->ask.data = http;
    (void)pthread_mutex_init(&http->lock, NULL);
    (void)pthread_cond_init(&http->written, NULL);
    int fd = -1;
    int r = bind_to(http, address, &fd, why);
    if (r != 0) {
        http_free(http);
        return r;
    }
    r = uv_async_init(gateway->loop, &http->ask, on_ask);
    if (r != 0) {
        (void)close(fd);
        http_free(http);
        return message_set(why, r, "http: %s", uv_strerror(r));
    }
    http->server = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_BYTES, MHD_OPTION_END);
    if (!http->server) {
        (void)close(fd);
        http_stop(http);
        return message_set(why, -EIO, "http: the server cannot be started at %s", address);
    }
    *ret_http = http;
    return 0;
}
