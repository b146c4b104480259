/* SPDX-License-Identifier: Apache-2.0 */
#include "private/control.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define HEAD_BYTES  4u
#define INPUT_BYTES 16384u

struct control_frame {
    struct control_frame *next;
    int fd; /* owned; -1 */
    uint8_t head[HEAD_BYTES];
    size_t length;
    size_t sent; /* of head and text */
    char *text;
};

static void free_frame(struct control_frame *frame)
{
    fd_release(&frame->fd);
    free(frame->text);
    free(frame);
}

void control_init(struct control *control, int fd)
{
    *control = (struct control){.fd = fd};
}

void control_deinit(struct control *control)
{
    while (control->first) {
        struct control_frame *frame = control->first;
        control->first = frame->next;
        free_frame(frame);
    }
    free(control->input);
    fd_release(&control->fd);
}

/* What a head promises is believed as it comes: the room doubles with what is there. */
static int make_room(struct control *control)
{
    if (control->input_at > 0) {
        memmove(control->input, control->input + control->input_at,
                control->input_end - control->input_at);
        control->input_end -= control->input_at;
        control->input_at = 0;
    }
    if (control->input_room - control->input_end >= INPUT_BYTES) {
        return 0;
    }
    size_t room = 2 * control->input_end + INPUT_BYTES;
    char *input = realloc(control->input, room);
    if (!input) {
        return -ENOMEM;
    }
    control->input = input;
    control->input_room = room;
    return 0;
}

int control_fill(struct control *control)
{
    for (;;) {
        if (control->input_end - control->input_at >= CONTROL_FRAME_BYTES + HEAD_BYTES) {
            return 0; /* a frame is complete: it is taken first */
        }
        int r = make_room(control);
        if (r != 0) {
            return r;
        }
        ssize_t got = recv(control->fd, control->input + control->input_end,
                           control->input_room - control->input_end, MSG_DONTWAIT);
        if (got == 0) {
            return -ENOTCONN;
        }
        if (got < 0 && errno != EINTR) {
            return errno == EAGAIN ? 0 : -errno;
        }
        control->input_end += got > 0 ? (size_t)got : 0;
    }
}

int control_next(struct control *control, const char **ret_text, size_t *ret_length)
{
    size_t have = control->input_end - control->input_at;
    if (have < HEAD_BYTES) {
        return 0;
    }
    const uint8_t *head = (const uint8_t *)control->input + control->input_at;
    size_t length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (length == 0 || length > CONTROL_FRAME_BYTES) {
        return -EMSGSIZE;
    }
    if (have < HEAD_BYTES + length) {
        return 0;
    }
    *ret_text = control->input + control->input_at + HEAD_BYTES;
    *ret_length = length;
    control->input_at += HEAD_BYTES + length;
    return 1;
}

int control_answer(struct control *control, char *text, int fd)
{
    struct control_frame *frame = text ? calloc(1, sizeof *frame) : NULL;
    size_t length = text ? strlen(text) : 0;
    if (!frame || control->output_bytes + length > CONTROL_OUTPUT_BYTES) {
        int r = frame ? -ENOBUFS : -ENOMEM;
        free(frame);
        free(text);
        fd_release(&fd);
        return r;
    }
    *frame = (struct control_frame){.fd = fd, .length = length, .text = text};
    for (uint32_t i = 0; i < HEAD_BYTES; i++) {
        frame->head[i] = (uint8_t)(length >> (24 - 8 * i));
    }
    if (control->last) {
        control->last->next = frame;
    } else {
        control->first = frame;
    }
    control->last = frame;
    control->output_bytes += length;
    return 0;
}

/* Some of a frame; its descriptor with the first byte. Returns the bytes sent, or a negative errno. */
static ssize_t send_some(const struct control *control, struct control_frame *frame)
{
    size_t head_left = frame->sent < HEAD_BYTES ? HEAD_BYTES - frame->sent : 0;
    size_t text_at = frame->sent > HEAD_BYTES ? frame->sent - HEAD_BYTES : 0;
    struct iovec parts[] = {
        {.iov_base = frame->head + HEAD_BYTES - head_left, .iov_len = head_left},
        {.iov_base = frame->text + text_at, .iov_len = frame->length - text_at},
    };
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (frame->fd >= 0) {
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        *part = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(part), &frame->fd, sizeof(int));
    }
    ssize_t sent = sendmsg(control->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        fd_release(&frame->fd);
    }
    return sent < 0 ? -errno : sent;
}

int control_flush(struct control *control)
{
    while (control->first) {
        struct control_frame *frame = control->first;
        ssize_t sent = send_some(control, frame);
        if (sent == -EINTR) {
            continue;
        }
        if (sent < 0) {
            return sent == -EAGAIN ? 0 : sent == -EPIPE ? -ENOTCONN : (int)sent;
        }
        frame->sent += (size_t)sent;
        if (frame->sent == HEAD_BYTES + frame->length) {
            control->first = frame->next;
            control->last = control->first ? control->last : NULL;
            control->output_bytes -= frame->length;
            free_frame(frame);
        }
    }
    return 0;
}
