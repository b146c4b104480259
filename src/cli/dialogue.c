/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dialogue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define HEADER_BYTES 4u
#define PIECE_BYTES  (64u << 10)
/* What may lie here: the largest answer, and what comes behind it while something is sent. */
#define INPUT_BYTES_MAX (DIALOGUE_FRAME_BYTES + (32u << 20))

/* ---- Open and close ---------------------------------------------------------------------------- */

/* A full backlog is waited for as long as sending may take. */
static void bound_connect(int fd, uint64_t until_ns)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t left_us = until_ns > now_ns ? (until_ns - now_ns) / 1000 : 0;
    if (until_ns != CLOCK_NEVER) {
        struct timeval left = {.tv_sec = (time_t)(left_us / 1000000),
                               .tv_usec = (suseconds_t)(left_us % 1000000) + 1};
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left);
    }
}

static int refused(const char *path, int error, struct message *why)
{
    switch (error) {
    case ENOENT:
        return message_set(why, -ENOENT,
                           "no daemon: there is no socket %s; start one by 'cordon serve'", path);
    case ECONNREFUSED:
        return message_set(why, -ECONNREFUSED,
                           "no daemon: nobody listens at %s; start one by 'cordon serve'", path);
    case EAGAIN:
        return message_set(why, -ETIMEDOUT, "the daemon at %s takes no connection", path);
    default:
        return message_set(why, -error, "cannot connect to %s: %s", path, strerror(error));
    }
}

int dialogue_open(struct dialogue *dialogue, const char *path, uint64_t until_ns,
                  struct message *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int r = 0;
    if (!path) {
        r = socket_path_default(dialogue->path, why);
    } else if (strlen(path) >= sizeof dialogue->path) {
        r = message_set(why, -ENAMETOOLONG, "the socket's path is longer than %zu bytes: %s",
                        sizeof dialogue->path - 1, path);
    } else {
        (void)snprintf(dialogue->path, sizeof dialogue->path, "%s", path);
    }
    if (r != 0) {
        return r;
    }
    memcpy(address.sun_path, dialogue->path, sizeof address.sun_path);
    OWN_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return message_set(why, -errno, "cannot make a socket: %s", strerror(errno));
    }
    bound_connect(fd, until_ns);
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        if (errno != EINTR) {
            return refused(dialogue->path, errno, why);
        }
    }
    dialogue->fd = take_fd(&fd);
    dialogue->open = true;
    dialogue->ended = false;
    dialogue->input_at = dialogue->input_end = 0;
    return 0;
}

void dialogue_close(struct dialogue *dialogue)
{
    if (!dialogue) {
        return;
    }
    if (dialogue->open) {
        fd_release(&dialogue->fd);
    }
    free(dialogue->input);
    document_deinit(&dialogue->document);
    *dialogue = (struct dialogue){0};
}

void dialogue_finish(struct dialogue *dialogue)
{
    (void)shutdown(dialogue->fd, SHUT_WR);
}

/* ---- Bytes ------------------------------------------------------------------------------------- */

/* Wait until @events. Returns those that came, or -ETIMEDOUT, or a negative errno. */
static int await(const struct dialogue *dialogue, short events, uint64_t until_ns)
{
    struct pollfd poll = {.fd = dialogue->fd, .events = events};
    for (;;) {
        uint64_t now_ns = clock_now_ns();
        struct timespec left = clock_timespec(until_ns > now_ns ? until_ns - now_ns : 0);
        int r = ppoll(&poll, 1, until_ns == CLOCK_NEVER ? NULL : &left, NULL);
        if (r > 0) {
            return poll.revents;
        }
        if (r == 0) {
            return -ETIMEDOUT;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

/* Room for a piece, and the parser's padding, behind what has come. */
static int make_room(struct dialogue *dialogue, struct message *why)
{
    size_t used = dialogue->input_end - dialogue->input_at;
    if (dialogue->input_at > 0) {
        memmove(dialogue->input, dialogue->input + dialogue->input_at, used);
        dialogue->input_at = 0;
        dialogue->input_end = used;
    }
    if (used + PIECE_BYTES + DOCUMENT_PADDING <= dialogue->input_room) {
        return 0;
    }
    if (used >= INPUT_BYTES_MAX) {
        return message_set(why, -ENOBUFS, "the daemon sends more than is read: %zu bytes wait",
                           used);
    }
    size_t room = 2 * used + PIECE_BYTES + DOCUMENT_PADDING;
    char *larger = realloc(dialogue->input, room);
    if (!larger) {
        return message_set(why, -ENOMEM, "not enough memory for the daemon's answer");
    }
    dialogue->input = larger;
    dialogue->input_room = room;
    return 0;
}

/* What is there now, if anything is. */
static int take_in(struct dialogue *dialogue, struct message *why)
{
    int r = make_room(dialogue, why);
    if (r != 0) {
        return r;
    }
    size_t room = dialogue->input_room - dialogue->input_end - DOCUMENT_PADDING;
    ssize_t got = recv(dialogue->fd, dialogue->input + dialogue->input_end, room, MSG_DONTWAIT);
    if (got > 0) {
        dialogue->input_end += (size_t)got;
    } else if (got == 0 || errno == ECONNRESET || errno == EPIPE) {
        dialogue->ended = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        return message_set(why, -errno, "cannot read from %s: %s", dialogue->path, strerror(errno));
    }
    return 0;
}

static int closed(const struct dialogue *dialogue, struct message *why)
{
    size_t rest = dialogue->input_end - dialogue->input_at;
    return rest == 0
               ? message_set(why, -EPIPE, "the daemon at %s closed the connection", dialogue->path)
               : message_set(why, -EPIPE,
                             "the daemon at %s closed the connection in the middle of an answer",
                             dialogue->path);
}

/* ---- Frames ------------------------------------------------------------------------------------ */

static int send_some(struct dialogue *dialogue, const char *bytes, size_t length, size_t *done,
                     uint64_t until_ns, struct message *why)
{
    while (*done < length) {
        short reading = dialogue->ended ? 0 : POLLIN;
        int events = await(dialogue, (short)(POLLOUT | reading), until_ns);
        if (events < 0) {
            return events == -ETIMEDOUT
                       ? message_set(why, events, "the daemon at %s takes no requests",
                                     dialogue->path)
                       : message_set(why, events, "cannot wait for %s: %s", dialogue->path,
                                     strerror(-events));
        }
        if (events & POLLOUT) {
            ssize_t sent =
                send(dialogue->fd, bytes + *done, length - *done, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN && errno != EINTR) {
                return closed(dialogue, why);
            }
            *done += sent > 0 ? (size_t)sent : 0;
        } else if (events & (POLLERR | POLLHUP)) {
            return closed(dialogue, why);
        }
        int r = events & reading ? take_in(dialogue, why) : 0;
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

int dialogue_send(struct dialogue *dialogue, const char *text, size_t length, uint64_t until_ns,
                  struct message *why)
{
    uint32_t header = htonl((uint32_t)length);
    size_t done = 0;
    if (length == 0 || length > UINT32_MAX) {
        return message_set(why, -E2BIG, "a request of %zu bytes is no frame", length);
    }
    int r = send_some(dialogue, (const char *)&header, sizeof header, &done, until_ns, why);
    done = 0;
    return r != 0 ? r : send_some(dialogue, text, length, &done, until_ns, why);
}

/* Whether a whole frame is here: 1 yes, 0 not yet, -EBADMSG. */
static int frame_is_here(const struct dialogue *dialogue, size_t *ret_length, struct message *why)
{
    size_t there = dialogue->input_end - dialogue->input_at;
    uint32_t header;
    if (there < HEADER_BYTES) {
        return 0;
    }
    memcpy(&header, dialogue->input + dialogue->input_at, sizeof header);
    *ret_length = ntohl(header);
    if (*ret_length == 0 || *ret_length > DIALOGUE_FRAME_BYTES) {
        return message_set(
            why, -EBADMSG,
            "what listens at %s is no daemon of Cordon: it announced an answer of %zu bytes",
            dialogue->path, *ret_length);
    }
    return there - HEADER_BYTES >= *ret_length;
}

int dialogue_receive(struct dialogue *dialogue, uint64_t until_ns, const char **ret_text,
                     size_t *ret_length, struct message *why)
{
    for (;;) {
        size_t length = 0;
        int r = frame_is_here(dialogue, &length, why);
        if (r > 0) {
            *ret_text = dialogue->input + dialogue->input_at + HEADER_BYTES;
            *ret_length = length;
            dialogue->input_at += HEADER_BYTES + length;
            return 0;
        }
        if (r == 0 && dialogue->ended) {
            r = closed(dialogue, why);
        }
        if (r < 0) {
            return r;
        }
        r = await(dialogue, POLLIN, until_ns);
        if (r == -ETIMEDOUT) {
            return message_set(why, r, "the daemon at %s did not answer in time", dialogue->path);
        }
        r = r < 0 ? message_set(why, r, "cannot wait for %s: %s", dialogue->path, strerror(-r))
                  : take_in(dialogue, why);
        if (r < 0) {
            return r;
        }
    }
}
