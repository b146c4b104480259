/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "gateway/gateway.h"
#include "gateway/guest.h"
#include "gateway/log.h"
#include "gateway/request.h"
#include "gateway/rpc.h"

static void wake(struct connection *connection)
{
    struct gateway *gateway = connection->gateway;
    if (!connection->in_ring) {
        connection->in_ring = true;
        if (gateway->active) {
            connection->ring_next = gateway->active;
            connection->ring_previous = gateway->active->ring_previous;
            connection->ring_previous->ring_next = connection;
            gateway->active->ring_previous = connection;
        } else {
            connection->ring_next = connection->ring_previous = connection;
            gateway->active = connection;
        }
    }
}

static void sleep_well(struct connection *connection)
{
    struct gateway *gateway = connection->gateway;
    if (!connection->in_ring) {
        return;
    }
    connection->in_ring = false;
    if (connection->ring_next == connection) {
        gateway->active = NULL;
        return;
    }
    connection->ring_next->ring_previous = connection->ring_previous;
    connection->ring_previous->ring_next = connection->ring_next;
    if (gateway->active == connection) {
        gateway->active = connection->ring_next;
    }
}

static void leave(struct connection *connection)
{
    if (--connection->users > 0) {
        return;
    }
    intake_deinit(&connection->intake);
    outlet_deinit(&connection->outlet);
    handles_deinit(&connection->handles);
    free(connection);
}

static void on_closed(uv_handle_t *handle)
{
    leave(handle->data);
}

/* Out of all lists: nothing of the gateway's knows it any more. */
static void forget(struct connection *connection)
{
    struct gateway *gateway = connection->gateway;
    sleep_well(connection);
    for (struct connection **link = &gateway->dirty; *link; link = &(*link)->next_dirty) {
        if (*link == connection) {
            *link = connection->next_dirty;
            break;
        }
    }
    if (connection->previous) {
        connection->previous->next = connection->next;
    } else {
        gateway->connections = connection->next;
    }
    if (connection->next) {
        connection->next->previous = connection->previous;
    }
    gateway->client_count--;
}

void connection_close(struct connection *connection)
{
    if (connection->closing) {
        return;
    }
    connection->closing = true;
    forget(connection);
    while (connection->requests) {
        request_orphan(connection->requests);
    }
    while (connection->guests) {
        struct guest *guest = connection->guests;
        connection->guests = guest->next;
        guest_free(guest);
    }
    struct log_field fields[] = {{.key = "pid", .number = connection->pid},
                                 {.key = "user", .number = connection->uid},
                                 {.key = "requests", .number = (int64_t)connection->asked},
                                 {0}};
    log_say_with(LOG_DEBUG, "disconnected", NULL, fields,
                 "client of process %d, after %llu requests", (int)connection->pid,
                 (unsigned long long)connection->asked);
    uv_close((uv_handle_t *)&connection->pipe, on_closed);
    gateway_wake(connection->gateway);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;
    struct intake *intake = &connection->intake;
    size_t room = intake_make_room(intake);
    (void)suggested;
    *buffer = uv_buf_init(room > 0 ? intake->bytes + intake->end : NULL, (unsigned)room);
}

static void stop_reading(struct connection *connection)
{
    if (connection->reading) {
        connection->reading = false;
        (void)uv_read_stop((uv_stream_t *)&connection->pipe);
    }
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;
    (void)buffer;
    if (got > 0) {
        connection->intake.end += (size_t)got;
        /* A client may send faster than it is served. */
        if (intake_is_ahead(&connection->intake)) {
            stop_reading(connection);
        }
        wake(connection);
    } else if (got == UV_EOF) {
        connection->ended = true;
        stop_reading(connection);
        wake(connection);
    } else if (got < 0) {
        connection_close(connection);
    }
}

static void start_reading(struct connection *connection)
{
    if (!connection->reading && !connection->ended && !connection->cut && !connection->closing) {
        connection->reading =
            uv_read_start((uv_stream_t *)&connection->pipe, on_room, on_read) == 0;
    }
}

static bool is_full(const struct connection *connection)
{
    const struct gateway_limits *limits = &connection->gateway->limits;
    return connection->in_flight >= limits->client_in_flight ||
           outlet_bytes(&connection->outlet) + connection->kept_bytes >= limits->output_bytes;
}

/* A length that no frame has: where the next one begins is not known. */
static void cut(struct connection *connection, uint32_t length)
{
    struct message why;
    uint32_t most = connection->gateway->limits.frame_bytes;
    (void)message_set(
        &why, 0, length == 0 ? "a frame of no bytes" : "a frame of %u bytes; frame_bytes allows %u",
        length, most);
    connection->cut = true;
    connection->gateway->refused++;
    struct request *request = request_new(connection->gateway, connection);
    if (request) {
        request->formless = true;
        request_fail(request, CODE_INVALID, why.text);
    }
    connection->ended = true; /* once all is answered, it is closed */
    stop_reading(connection);
}

static bool take_frame(struct connection *connection)
{
    const char *text;
    uint32_t length;
    if (connection->cut) {
        return false;
    }
    switch (
        intake_take(&connection->intake, connection->gateway->limits.frame_bytes, &text, &length)) {
    case INTAKE_FRAME:
        connection->frame_ns = 0; /* what comes behind it has just begun */
        rpc_take_frame(connection, text, length);
        return true;
    case INTAKE_NO_FRAME:
        cut(connection, length);
        return false;
    default:
        return false;
    }
}

static void note_frame_time(struct connection *connection)
{
    bool partial = !intake_is_empty(&connection->intake) && !is_full(connection);
    if (!partial) {
        connection->frame_ns = 0;
    } else if (connection->frame_ns == 0) {
        connection->frame_ns = clock_now_ns();
    }
}

static void close_if_over(struct connection *connection)
{
    if (connection->ended && !connection->requests && connection->in_flight == 0 &&
        outlet_bytes(&connection->outlet) == 0 && !connection->closing &&
        (connection->cut || !intake_has_frame(&connection->intake))) {
        connection_close(connection);
    }
}

bool connection_turn(struct connection *connection)
{
    uint32_t frames = 0;
    size_t most = outlet_bytes(&connection->outlet) + GATEWAY_TURN_BYTES;
    while (frames < GATEWAY_TURN_FRAMES && outlet_bytes(&connection->outlet) < most &&
           !is_full(connection) && !connection->closing && take_frame(connection)) {
        frames++;
    }
    if (connection->closing) {
        return false;
    }
    if (frames == GATEWAY_TURN_FRAMES || outlet_bytes(&connection->outlet) >= most) {
        return true;
    }
    sleep_well(connection);
    note_frame_time(connection);
    intake_shrink(&connection->intake);
    if (is_full(connection)) {
        stop_reading(connection);
    } else {
        start_reading(connection);
    }
    close_if_over(connection);
    return false;
}

void connection_settled(struct connection *connection)
{
    if (connection->closing) {
        return;
    }
    bool has_input = !intake_is_empty(&connection->intake) && !connection->cut;
    if (!connection->reading || has_input || connection->ended) {
        wake(connection);
        gateway_wake(connection->gateway);
    }
}

size_t connection_frame_begin(struct connection *connection)
{
    if (!connection->is_dirty) {
        connection->is_dirty = true;
        connection->next_dirty = connection->gateway->dirty;
        connection->gateway->dirty = connection;
    }
    return outlet_frame_begin(&connection->outlet);
}

static void on_sent(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    outlet_sent(&connection->outlet);
    if (status < 0) {
        connection_close(connection);
    } else if (!connection->closing) {
        connection_flush(connection);
        connection_settled(connection);
    }
    leave(connection);
}

void connection_flush(struct connection *connection)
{
    struct outlet *outlet = &connection->outlet;
    bool empty = outlet->out.length == 0 && !outlet->lost;
    if (connection->closing || outlet->sending || empty) {
        return;
    }
    int r = outlet_send(outlet, (uv_stream_t *)&connection->pipe, on_sent, connection);
    if (r == -ENOMEM) {
        log_say(LOG_ERROR, "memory", NULL, "not enough memory for answers: a client is closed");
    }
    if (r < 0) {
        connection_close(connection);
    } else if (r == 1) {
        connection->users++;
    } else if (connection->ended || !connection->reading) { /* there may be room to go on */
        wake(connection);
    }
}

void connection_check_time(struct connection *connection, uint64_t now_ns)
{
    const struct gateway_limits *limits = &connection->gateway->limits;
    const char *slow = NULL;
    if (connection->frame_ns != 0 &&
        now_ns - connection->frame_ns > limits->read_timeout_ms * CLOCK_MS_NS) {
        slow = "a frame was begun and not completed (read_timeout_ms)";
    } else if (connection->outlet.stuck_ns != 0 &&
               now_ns - connection->outlet.stuck_ns > limits->write_timeout_ms * CLOCK_MS_NS) {
        slow = "answers were not read (write_timeout_ms)";
    }
    if (slow) {
        struct log_field fields[] = {{.key = "pid", .number = connection->pid},
                                     {.key = "user", .number = connection->uid},
                                     {0}};
        log_say_with(LOG_WARNING, "slow", NULL, fields, "client of process %d is closed: %s",
                     (int)connection->pid, slow);
        connection->gateway->slow++;
        connection_close(connection);
    }
}

static int fd_of(const struct connection *connection)
{
    uv_os_fd_t fd;
    return uv_fileno((const uv_handle_t *)&connection->pipe, &fd) == 0 ? fd : -1;
}

/* One answer, then it is closed. */
static void turn_away(struct connection *connection, enum request_code code, const char *sentence,
                      const char *limit)
{
    struct request *request = request_new(connection->gateway, connection);
    connection->ended = connection->cut = true;
    if (request) {
        request->formless = true;
        request_fail_with(request, code, sentence, limit, 0);
    }
    wake(connection);
}

static void tell_forbidden(struct connection *connection)
{
    static struct log_limit limit; /* whoever may not come may come often */
    struct log_field fields[] = {
        {.key = "pid", .number = connection->pid}, {.key = "user", .number = connection->uid}, {0}};
    uint64_t left_out;
    connection->gateway->forbidden++;
    if (log_limit_pass(&limit, &left_out)) {
        log_say_with(LOG_WARNING, "forbidden", NULL, fields,
                     "process %d of user %d may not use the daemon (users, groups); %llu others "
                     "were not told of before",
                     (int)connection->pid, (int)connection->uid, (unsigned long long)left_out);
    }
}

static bool is_allowed(struct connection *connection)
{
    struct peer peer;
    (void)peer_of(fd_of(connection), &peer);
    connection->pid = peer.pid;
    connection->uid = peer.uid;
    return access_allows(&connection->gateway->access, fd_of(connection), &peer);
}

void connection_check_access(struct connection *connection)
{
    if (!is_allowed(connection)) {
        tell_forbidden(connection);
        connection_close(connection);
    }
}

/* Whoever is let in shall not keep others out, nor those who could end the daemon. */
static bool is_one_too_many(const struct connection *connection)
{
    const struct gateway_limits *limits = &connection->gateway->limits;
    uint32_t most = limits->clients_per_user ? limits->clients_per_user : (limits->clients + 1) / 2;
    uint32_t count = 0;
    if (access_commands(connection->uid)) {
        return false;
    }
    for (const struct connection *one = connection->gateway->connections; one; one = one->next) {
        count += one->uid == connection->uid && !one->cut;
    }
    return count > most;
}

static void begin(struct connection *connection)
{
    struct gateway *gateway = connection->gateway;
    connection->next = gateway->connections;
    if (connection->next) {
        connection->next->previous = connection;
    }
    gateway->connections = connection;
    gateway->client_count++;
    gateway->accepted++;
    if (!is_allowed(connection)) {
        tell_forbidden(connection);
        turn_away(connection, CODE_FORBIDDEN, "this user may not use the daemon", NULL);
        return;
    }
    struct log_field fields[] = {
        {.key = "pid", .number = connection->pid}, {.key = "user", .number = connection->uid}, {0}};
    log_say_with(LOG_DEBUG, "connected", NULL, fields, "client of process %d, user %d",
                 (int)connection->pid, (int)connection->uid);
    if (gateway->client_count > gateway->limits.clients) {
        gateway->refused++;
        turn_away(connection, CODE_BUSY, "as many clients are connected as may be", "clients");
        return;
    }
    if (is_one_too_many(connection)) {
        gateway->refused++;
        turn_away(connection, CODE_BUSY, "as many clients of this user are connected as may be",
                  "clients_per_user");
        return;
    }
    start_reading(connection);
}

void connection_accept(struct gateway *gateway, uv_stream_t *server)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection || uv_pipe_init(gateway->loop, &connection->pipe, 0) != 0) {
        free(connection);
        gateway->unaccepted = server; /* libuv asks once */
        return;
    }
    connection->gateway = gateway;
    connection->users = 1;
    outlet_init(&connection->outlet);
    connection->pipe.data = connection;
    handles_init(&connection->handles, gateway->limits.handles);
    if (uv_accept(server, (uv_stream_t *)&connection->pipe) != 0) {
        connection->closing = true;
        uv_close((uv_handle_t *)&connection->pipe, on_closed);
        return;
    }
    begin(connection);
}
