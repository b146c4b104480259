/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/dial.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/passing.h"
#include "cordon/outcome.h"
#include "lane/identity.h"

#define ANSWER_BYTES_MAX 65536u
#define NAME_BYTES_MAX   255u
#define AGAIN_MS         5

bool dial_name_fits(const char *cell)
{
    size_t length = strnlen(cell, NAME_BYTES_MAX + 1);
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)cell[i]) && !strchr("_-.", cell[i])) {
            return false;
        }
    }
    return length > 0 && length <= NAME_BYTES_MAX;
}

/* ---- Bytes ------------------------------------------------------------------------------------- */

static int wait_for(int fd, short events, uint64_t until_ns)
{
    for (;;) {
        uint64_t now_ns = clock_now_ns();
        if (now_ns >= until_ns) {
            return -ETIMEDOUT;
        }
        struct pollfd ready = {.fd = fd, .events = events};
        struct timespec timeout = clock_timespec(until_ns - now_ns);
        int r = ppoll(&ready, 1, &timeout, NULL);
        if (r > 0) {
            return 0;
        }
        if (r < 0 && errno != EINTR) {
            return -errno;
        }
    }
}

/* A daemon whose queue of connections is full answers EAGAIN, and there is nothing to poll. */
static int connect_to(int fd, const char *gateway, uint64_t until_ns)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(gateway);
    if (length >= sizeof address.sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, gateway, length + 1);
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        if (errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        if (clock_now_ns() >= until_ns) {
            return -ETIMEDOUT;
        }
        (void)poll(NULL, 0, AGAIN_MS);
    }
    return 0;
}

static int send_all(int fd, const void *bytes, size_t length, uint64_t until_ns)
{
    for (size_t at = 0; at < length;) {
        ssize_t sent = send(fd, (const char *)bytes + at, length - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            at += (size_t)sent;
            continue;
        }
        int r = errno == EAGAIN ? wait_for(fd, POLLOUT, until_ns) : errno == EINTR ? 0 : -errno;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int receive_all(int socket, void *bytes, size_t length, uint64_t until_ns, int *fd)
{
    for (size_t at = 0; at < length;) {
        int came;
        uint32_t count;
        ssize_t got = passing_receive(socket, (char *)bytes + at, length - at, &came, 1, &count);
        if (got > 0) {
            if (count > 0) {
                fd_release(fd);
                *fd = came;
            }
            at += (size_t)got;
            continue;
        }
        int r = got == 0         ? -ECONNRESET
                : got == -EAGAIN ? wait_for(socket, POLLIN, until_ns)
                                 : (int)got;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* ---- Question and answer ----------------------------------------------------------------------- */

static int ask(int socket, const char *cell, uint64_t until_ns)
{
    char text[4 + NAME_BYTES_MAX + 96];
    int length = snprintf(text + 4, sizeof text - 4,
                          "{\"method\":\"cordon.attach\",\"cell\":\"%s\",\"identity\":%u}", cell,
                          lane_client_identity());
    for (int i = 0; i < 4; i++) {
        text[i] = (char)((uint32_t)length >> (24 - 8 * i));
    }
    return send_all(socket, text, (size_t)length + 4, until_ns);
}

/* The number behind "code": in an error's answer, whose other members are the daemon's own; 0: none. */
static long code_of(const char *answer)
{
    const char *at = strstr(answer, "\"code\":");
    return at ? strtol(at + strlen("\"code\":"), NULL, 10) : 0;
}

/* A sentence for people: cut at its quote, with what is escaped left as it stands. */
static void sentence_of(const char *answer, struct message *why)
{
    static const char key[] = "\"message\":\"";
    const char *from = strstr(answer, key);
    if (!from || !why) {
        (void)message_set(why, 0, "the daemon refused");
        return;
    }
    from += sizeof key - 1;
    size_t length = 0;
    while (from[length] && from[length] != '"') {
        length += from[length] == '\\' && from[length + 1] ? 2 : 1;
    }
    message_set_foreign(why, from, length);
}

static int refusal_of(const char *answer, struct message *why)
{
    sentence_of(answer, why);
    switch (code_of(answer)) {
    case -32005:
        return CORDON_BUSY;
    case -32007:
        return CORDON_OPEN;
    case -32009:
        return -ESHUTDOWN;
    default:
        return -ENOTCONN;
    }
}

static int hear(int socket, uint64_t until_ns, int *ret_seat, struct message *why)
{
    OWN_FD seat = -1;
    unsigned char head[4];
    int r = receive_all(socket, head, sizeof head, until_ns, &seat);
    if (r < 0) {
        return r;
    }
    uint32_t length =
        (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    if (length == 0 || length > ANSWER_BYTES_MAX) {
        return -EPROTO;
    }
    char *answer = malloc(length + 1u);
    if (!answer) {
        return -ENOMEM;
    }
    r = receive_all(socket, answer, length, until_ns, &seat);
    if (r == 0 && seat < 0) {
        answer[length] = '\0';
        r = refusal_of(answer, why);
    }
    free(answer);
    if (r == 0) {
        *ret_seat = take_fd(&seat);
    }
    return r;
}

int dial(const char *gateway, const char *cell, uint64_t until_ns, int *ret_socket,
         struct message *why)
{
    struct message answer = {.text = ""};
    OWN_FD socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = socket_fd < 0 ? -errno : connect_to(socket_fd, gateway, until_ns);
    r = r < 0 ? r : ask(socket_fd, cell, until_ns);
    r = r < 0 ? r : hear(socket_fd, until_ns, ret_socket, &answer);
    if (r != 0) {
        return message_set(why, r, "%s: %s", gateway, answer.text[0] ? answer.text : strerror(-r));
    }
    return 0;
}
