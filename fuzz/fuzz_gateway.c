/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aims at intake_take(), rpc_take_frame(), answer_end(), handles_find(), guest_enqueue() and outlet_send(): what the
 * daemon makes of a client's bytes, from its socket to its answers, whatever its libraries do meanwhile.
 *
 * How it works. A real gateway on a real loop, a real socket. The first bytes of an input are the script of the
 * workers (gateway_worker.c, in the place of libcordon's sessions), the rest is what a client sends, in pieces: it
 * half-closes or vanishes then. All that comes back must be frames of answers, no more of them than
 * were asked for; when the client is gone, the gateway must hold nothing of it.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/guest.h"
#include "gateway/log.h"
#include "gateway/request.h"
#include "gateway/seat.h"
#include "gateway_worker.h"

#define SCRIPT_BYTES  16u
#define TURNS_MAX     20000
#define TURNS_PATIENT 200
#define QUIET_TURNS   3
#define CAME_BYTES    (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing of it is called. */
static const char interface_text[] =
    "library \"libc.so.6\";\n"
    "struct box; enum colour { RED, GREEN = 5 };\n"
    "struct point { int32_t x; double y; };\n"
    "int abs(int j);\n"
    "symbol(\"abs\") double half(double x, float y);\n"
    "symbol(\"abs\") bool flip(bool b);\n"
    "symbol(\"abs\") enum colour next(enum colour c);\n"
    "size_t strlen(const char *s);\n"
    "symbol(\"abs\") owned(free) char *twice(const char *s);\n"
    "symbol(\"abs\") uint32_t sum(const uint8_t data[len], size_t len);\n"
    "symbol(\"abs\") void fill(out uint8_t data[len], size_t len);\n"
    "symbol(\"abs\") void reverse(uint8_t data[len], size_t len);\n"
    "symbol(\"abs\") struct point moved(struct point p, int32_t by);\n"
    "symbol(\"abs\") struct box *box_new(int content);\n"
    "symbol(\"abs\") int box_content(struct box *box);\n"
    "symbol(\"abs\") int box_open(int content, out struct box **box);\n"
    "symbol(\"abs\") void box_free(release struct box *box);\n"
    "int snprintf(out char text[room], size_t room, const char *format, ...);\n";

static struct {
    uv_loop_t loop;
    uv_pipe_t server;
    struct gateway gateway;
    struct house *house;
    struct sockaddr_un address;
    bool ready;
} scene;

static void on_client(uv_stream_t *server, int status)
{
    assert(status == 0);
    connection_accept(&scene.gateway, server);
}

static void open_house(void)
{
    struct message why;
    struct cell_settings cell = {.name = strdup("fuzz"),
                                 .workers = 2,
                                 .client_sessions = 2,
                                 .queue = 40,
                                 .every_function = true};
    cell.options.size = sizeof cell.options;
    cell.options.level = CORDON_LEVEL_INLINE;
    cell.options.deadline_ms = 3000;
    cell.options.interface_text = strdup(interface_text);
    cell.options.interface_name = strdup("fuzz");
    int r = house_open(&cell, 1, &scene.house, &why);
    assert(r == 0);
    struct house **houses = malloc(sizeof(struct house *));
    houses[0] = scene.house;
    r = gateway_set_houses(&scene.gateway, houses, 1, &why);
    assert(r == 0);
}

static void set_up(void)
{
    const struct gateway_limits limits = {.frame_bytes = 4096,
                                          .nesting = 8,
                                          .clients = 4,
                                          .client_in_flight = 12,
                                          .in_flight = 30,
                                          .batch = 16,
                                          .handles = 6,
                                          .read_timeout_ms = 3600000,
                                          .write_timeout_ms = 3600000,
                                          .output_bytes = 8192,
                                          .deadline_max_ms = 60000};
    log_configure(LOG_ERROR, LOG_TEXT);
    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon has it */
    int r = uv_loop_init(&scene.loop);
    r = r != 0 ? r : gateway_init(&scene.gateway, &scene.loop, &limits);
    r = r != 0 ? r : uv_pipe_init(&scene.loop, &scene.server, 0);
    /* A name of the kernel's choice, that no file has. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t bytes = sizeof scene.address;
    scene.address.sun_family = AF_UNIX;
    assert(r == 0 && bind(fd, (struct sockaddr *)&scene.address, sizeof(sa_family_t)) == 0);
    assert(getsockname(fd, (struct sockaddr *)&scene.address, &bytes) == 0);
    r = uv_pipe_open(&scene.server, fd);
    r = r != 0 ? r : uv_listen((uv_stream_t *)&scene.server, 8, on_client);
    assert(r == 0);
    open_house();
    assert(scene.house->method_count == 15);
    scene.ready = true;
}

/* ---- The client -------------------------------------------------------------------------------- */

struct client {
    int fd;
    uint8_t *came;
    size_t length;
    bool ended;
};

static void turn(struct client *client)
{
    (void)uv_run(&scene.loop, UV_RUN_NOWAIT);
    while (client->fd >= 0 && !client->ended && client->length < CAME_BYTES) {
        ssize_t got = recv(client->fd, client->came + client->length, CAME_BYTES - client->length,
                           MSG_DONTWAIT);
        if (got <= 0) {
            client->ended = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
            break;
        }
        client->length += (size_t)got;
    }
}

/* Deadlines pass, as the tick sees it. */
static void expire(void)
{
    house_expire(scene.house, worker_now_ns());
}

static struct client come(void)
{
    struct client client = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                            .came = malloc(CAME_BYTES)};
    socklen_t length =
        (socklen_t)(sizeof(sa_family_t) + 6); /* the kernel's names: a NUL and five digits */
    int r = connect(client.fd, (struct sockaddr *)&scene.address, length);
    assert(r == 0 && client.came);
    return client;
}

/* Handles cannot be guessed: 32 question marks stand for the last one that came. */
static void name_handles(const struct client *client, uint8_t *data, size_t size)
{
    static const char marks[] = "????????????????????????????????";
    const size_t length = sizeof marks - 1;
    const uint8_t *last = NULL;
    for (const uint8_t *at = client->came;
         (at = memmem(at, client->length - (size_t)(at - client->came), "\"h:", 3)); at++) {
        last = at + 3;
    }
    if (!last || client->length - (size_t)(last - client->came) < length) {
        return;
    }
    for (uint8_t *at = data; (at = memmem(at, size - (size_t)(at - data), marks, length));
         at += length) {
        memcpy(at, last, length);
    }
}

/* In pieces, as the script says. */
static void speak(struct client *client, uint8_t *data, size_t size, uint8_t pieces)
{
    size_t most = pieces % 4 == 0 ? size + 1 : pieces % 4 == 1 ? 1u + pieces / 16u : 300u;
    while (size > 0 && !client->ended) {
        size_t part = size < most ? size : most;
        name_handles(client, data, size);
        ssize_t sent = send(client->fd, data, part, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
            return;
        } else {
            expire(); /* it is full of what nobody serves */
        }
        turn(client);
    }
}

/* Until nothing is under way; a worker that will never answer is not among them. */
static void settle(struct client *client, bool wanted_end)
{
    int quiet = 0;
    for (int turns = 0; quiet < QUIET_TURNS; turns++) {
        size_t before = client->length;
        assert(turns < TURNS_MAX);
        turn(client);
        bool rest = scene.gateway.in_flight == 0 && !scene.gateway.active &&
                    scene.house->preparing == 0 &&
                    scene.house->own_seats == (wanted_end ? 0 : scene.house->own_seats);
        quiet = rest && client->length == before && (!wanted_end || scene.gateway.client_count == 0)
                    ? quiet + 1
                    : 0;
        if (!rest) {
            expire();
        }
        if (turns > TURNS_PATIENT) {
            (void)usleep(100); /* the loop's pool prepares, or closes */
        }
    }
}

/* ---- What came --------------------------------------------------------------------------------- */

static size_t count_answers(struct json_value value)
{
    if (json_value_kind(value) == JSON_KIND_ARRAY) {
        assert(json_value_count(value) > 0);
        return json_value_count(value);
    }
    assert(json_value_given(json_value_get(value, "result")) !=
           json_value_given(json_value_get(value, "error")));
    return 1;
}

/* Returns how many answers there are: members of batches, too. */
static size_t judge(const struct client *client)
{
    static struct document document;
    size_t at = 0;
    size_t count = 0;
    while (client->length - at >= 4) {
        const uint8_t *head = client->came + at;
        size_t length =
            (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        struct json_value root;
        struct message why;
        if (client->length - at - 4 < length) {
            break; /* the rest was not read */
        }
        /* Errors alone may go beyond frame_bytes. */
        assert(length > 0 && length < scene.gateway.limits.frame_bytes + 16u * 8192u);
        int r = document_parse(&document, (const char *)head + 4, length, length, 64, &root, &why);
        assert(r == 0);
        count += count_answers(root);
        at += 4 + length;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!scene.ready) {
        set_up();
    }
    if (size < SCRIPT_BYTES) {
        return 0;
    }
    worker_begin(data, SCRIPT_BYTES - 1);
    uint8_t how = data[SCRIPT_BYTES - 1];
    struct client client = come();
    uint8_t *said = malloc(size);
    assert(said);
    memcpy(said, data, size);
    speak(&client, said + SCRIPT_BYTES, size - SCRIPT_BYTES, how);
    free(said);
    if (how & 4) {
        settle(&client, false);
    }
    if (how & 8) {
        (void)shutdown(client.fd, SHUT_WR);
        settle(&client, true);
        assert(client.ended);
    }
    (void)close(client.fd);
    client.fd = -1;
    settle(&client, true);
    (void)judge(&client);
    free(client.came);
    worker_end();
    assert(scene.gateway.in_flight == 0 && scene.gateway.client_count == 0);
    assert(!scene.gateway.connections && !scene.gateway.active && !scene.gateway.dirty);
    assert(scene.house->waiting == 0 && scene.house->in_flight == 0 && scene.house->ring == NULL);
    return 0;
}
