/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "gateway/gateway.h"
#include "gateway/guest.h"
#include "gateway/log.h"
#include "gateway/request.h"
#include "gateway/rpc.h"

#define HEAD_BYTES  4u
#define INPUT_BYTES 16384u /* what an input buffer begins with, and shrinks to */

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
    free(connection->input);
    free(connection->sending);
    fd_release(&connection->passed_fd);
    json_out_deinit(&connection->out);
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
    log_say(LOG_DEBUG, "disconnected", NULL, "client of process %d", (int)connection->pid);
    uv_close((uv_handle_t *)&connection->pipe, on_closed);
    gateway_wake(connection->gateway);
}

/* Room for the frame that is coming, and at least a round's bytes. */
static bool make_room(struct connection *connection, size_t wanted)
{
    size_t have = connection->input_end - connection->input_at;
    if (connection->input_at > 0 &&
        (have == 0 || connection->input_room - connection->input_end < wanted + DOCUMENT_PADDING)) {
        memmove(connection->input, connection->input + connection->input_at, have);
        connection->input_at = 0;
        connection->input_end = have;
    }
    size_t room = have + wanted + DOCUMENT_PADDING;
    if (room <= connection->input_room) {
        return true;
    }
    char *input = realloc(connection->input, room);
    if (!input) {
        return false;
    }
    connection->input = input;
    connection->input_room = room;
    return true;
}

static uint32_t head_of(const struct connection *connection)
{
    const uint8_t *at = (const uint8_t *)connection->input + connection->input_at;
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Bytes of the first frame that have yet to come; 0: it is complete, or its head is. */
static size_t missing(const struct connection *connection)
{
    size_t have = connection->input_end - connection->input_at;
    if (have < HEAD_BYTES) {
        return HEAD_BYTES - have;
    }
    size_t frame = HEAD_BYTES + (size_t)head_of(connection);
    return have < frame ? frame - have : 0;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;
    size_t wanted = missing(connection);
    (void)suggested;
    /* What a head promises is believed as it comes: never more at once than is there already, or a round. */
    size_t have = connection->input_end - connection->input_at;
    size_t most = have > GATEWAY_READ_BYTES ? have : GATEWAY_READ_BYTES;
    wanted = wanted < INPUT_BYTES ? INPUT_BYTES : wanted < most ? wanted : most;
    if (!make_room(connection, wanted)) {
        *buffer = uv_buf_init(NULL, 0);
        return;
    }
    *buffer = uv_buf_init(connection->input + connection->input_end, (unsigned)wanted);
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
        connection->input_end += (size_t)got;
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
           connection->out.length + connection->sending_bytes >= limits->output_bytes;
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
        request_fail(request, CODE_INVALID, why.text);
    }
    connection->ended = true; /* once all is answered, it is closed */
    stop_reading(connection);
}

static bool take_frame(struct connection *connection)
{
    if (connection->cut || connection->input_end - connection->input_at < HEAD_BYTES) {
        return false;
    }
    uint32_t length = head_of(connection);
    if (length == 0 || length > connection->gateway->limits.frame_bytes) {
        cut(connection, length);
        return false;
    }
    if (missing(connection) > 0) {
        return false;
    }
    const char *text = connection->input + connection->input_at + HEAD_BYTES;
    connection->input_at += HEAD_BYTES + length;
    rpc_take_frame(connection, text, length);
    return true;
}

static void note_frame_time(struct connection *connection)
{
    bool partial = connection->input_end > connection->input_at && !is_full(connection);
    if (!partial) {
        connection->frame_ns = 0;
    } else if (connection->frame_ns == 0) {
        connection->frame_ns = clock_now_ns();
    }
}

static void close_if_over(struct connection *connection)
{
    if (connection->ended && !connection->requests && connection->in_flight == 0 &&
        connection->out.length == 0 && connection->sending_bytes == 0 && !connection->closing &&
        (connection->cut || missing(connection) > 0)) {
        connection_close(connection);
    }
}

/* One that held a large frame gives the memory back. */
static void shrink(struct connection *connection)
{
    if (connection->input_at == connection->input_end && connection->input_room > 4 * INPUT_BYTES) {
        free(connection->input);
        connection->input = NULL;
        connection->input_room = connection->input_at = connection->input_end = 0;
    }
}

bool connection_turn(struct connection *connection)
{
    uint32_t frames = 0;
    while (frames < GATEWAY_TURN_FRAMES && !is_full(connection) && !connection->closing &&
           take_frame(connection)) {
        frames++;
    }
    if (connection->closing) {
        return false;
    }
    if (frames == GATEWAY_TURN_FRAMES) {
        return true;
    }
    sleep_well(connection);
    note_frame_time(connection);
    shrink(connection);
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
    bool has_input = connection->input_end > connection->input_at && !connection->cut;
    if (!connection->reading || has_input || connection->ended) {
        wake(connection);
        gateway_wake(connection->gateway);
    }
}

size_t connection_frame_begin(struct connection *connection)
{
    size_t begin = connection->out.length;
    (void)json_out_raw(&connection->out, HEAD_BYTES);
    if (!connection->is_dirty) {
        connection->is_dirty = true;
        connection->next_dirty = connection->gateway->dirty;
        connection->gateway->dirty = connection;
    }
    return begin;
}

void connection_frame_end(struct connection *connection, size_t begin)
{
    if (connection->out.failed) {
        return; /* connection_flush() sees it */
    }
    size_t length = connection->out.length - begin - HEAD_BYTES;
    uint8_t *head = (uint8_t *)connection->out.text + begin;
    for (uint32_t i = 0; i < HEAD_BYTES; i++) {
        head[i] = (uint8_t)(length >> (24 - 8 * i));
    }
    connection->out.comma = false;
}

static void on_sent(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    free(connection->sending);
    connection->sending = NULL;
    connection->sending_bytes = 0;
    connection->stuck_ns = 0;
    if (status < 0) {
        connection_close(connection);
    } else if (!connection->closing) {
        connection_flush(connection);
        connection_settled(connection);
    }
    leave(connection);
}

/* What the socket did not take goes when it can. */
static void send_rest(struct connection *connection, size_t sent)
{
    struct json_out *out = &connection->out;
    uv_buf_t rest = uv_buf_init(out->text + sent, (unsigned)(out->length - sent));
    connection->write.data = connection;
    if (uv_write(&connection->write, (uv_stream_t *)&connection->pipe, &rest, 1, on_sent) < 0) {
        connection_close(connection);
        return;
    }
    connection->users++;
    connection->sending = out->text;
    connection->sending_bytes = rest.len;
    connection->stuck_ns = clock_now_ns();
    *out = (struct json_out){0};
}

int connection_pass_fd(struct connection *connection, int fd)
{
    if (connection->passed_fd >= 0) {
        return -EBUSY;
    }
    connection->passed_fd = fd;
    return 0;
}

/* As uv_try_write(), with a descriptor. */
static int try_send_fd(struct connection *connection)
{
    struct json_out *out = &connection->out;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec bytes = {.iov_base = out->text, .iov_len = out->length};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    uv_os_fd_t socket;
    *part = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(part), &connection->passed_fd, sizeof(int));
    if (uv_fileno((uv_handle_t *)&connection->pipe, &socket) != 0) {
        return UV_EBADF;
    }
    ssize_t sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        fd_release(&connection->passed_fd);
    }
    return sent >= 0 ? (int)sent : -errno;
}

void connection_flush(struct connection *connection)
{
    struct json_out *out = &connection->out;
    if (connection->closing || connection->sending || out->length == 0) {
        return;
    }
    if (out->failed) {
        log_say(LOG_ERROR, "memory", NULL, "not enough memory for answers: a client is closed");
        connection_close(connection);
        return;
    }
    uv_buf_t all = uv_buf_init(out->text, (unsigned)out->length);
    bool has_fd = connection->passed_fd >= 0;
    int sent =
        has_fd ? try_send_fd(connection) : uv_try_write((uv_stream_t *)&connection->pipe, &all, 1);
    if (sent < 0 && (sent != UV_EAGAIN || has_fd)) {
        connection_close(connection);
        return;
    }
    if (sent == (int)out->length) {
        out->length = 0;
        out->comma = false;
        if (out->room > 4 * INPUT_BYTES) {
            json_out_deinit(out);
            *out = (struct json_out){0};
        }
        if (connection->ended) {
            wake(connection);
        }
    } else {
        send_rest(connection, sent > 0 ? (size_t)sent : 0);
    }
}

void connection_check_time(struct connection *connection, uint64_t now_ns)
{
    const struct gateway_limits *limits = &connection->gateway->limits;
    const char *slow = NULL;
    if (connection->frame_ns != 0 &&
        now_ns - connection->frame_ns > limits->read_timeout_ms * CLOCK_MS_NS) {
        slow = "a frame was begun and not completed (read_timeout_ms)";
    } else if (connection->stuck_ns != 0 &&
               now_ns - connection->stuck_ns > limits->write_timeout_ms * CLOCK_MS_NS) {
        slow = "answers were not read (write_timeout_ms)";
    }
    if (slow) {
        log_say(LOG_WARNING, "slow", NULL, "client of process %d is closed: %s",
                (int)connection->pid, slow);
        connection_close(connection);
    }
}

static void note_peer(struct connection *connection)
{
    struct ucred peer = {.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
    socklen_t bytes = sizeof peer;
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&connection->pipe, &fd) == 0) {
        (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes);
    }
    connection->pid = peer.pid;
    connection->uid = peer.uid;
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
    note_peer(connection);
    log_say(LOG_DEBUG, "connected", NULL, "client of process %d, user %u", (int)connection->pid,
            (unsigned)connection->uid);
    if (gateway->client_count > gateway->limits.clients) {
        struct request *request = request_new(gateway, connection);
        connection->ended = connection->cut = true;
        gateway->refused++;
        if (request) {
            request_fail_with(request, CODE_BUSY, "as many clients are connected as may be",
                              "clients", 0);
        }
        wake(connection);
        return;
    }
    start_reading(connection);
}

void connection_accept(struct gateway *gateway, uv_stream_t *server)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection || uv_pipe_init(gateway->loop, &connection->pipe, 0) != 0) {
        free(connection);
        return; /* it waits on, and is taken when the next one comes */
    }
    connection->gateway = gateway;
    connection->users = 1;
    connection->passed_fd = -1;
    connection->pipe.data = connection;
    handles_init(&connection->handles, gateway->limits.handles);
    if (uv_accept(server, (uv_stream_t *)&connection->pipe) != 0) {
        connection->closing = true;
        uv_close((uv_handle_t *)&connection->pipe, on_closed);
        return;
    }
    begin(connection);
}
