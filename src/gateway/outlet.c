/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/outlet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "gateway/intake.h"

#define KEPT_BYTES 65536u /* of a buffer that all has gone from */

void outlet_init(struct outlet *outlet)
{
    *outlet = (struct outlet){.passed_fd = -1};
}

void outlet_deinit(struct outlet *outlet)
{
    free(outlet->sending);
    fd_release(&outlet->passed_fd);
    json_out_deinit(&outlet->out);
}

size_t outlet_frame_begin(struct outlet *outlet)
{
    size_t begin = outlet->out.length;
    (void)json_out_raw(&outlet->out, INTAKE_HEAD_BYTES);
    return begin;
}

void outlet_frame_end(struct outlet *outlet, size_t begin)
{
    if (outlet->out.failed) {
        outlet->lost = true;
        return;
    }
    size_t length = outlet->out.length - begin - INTAKE_HEAD_BYTES;
    uint8_t *head = (uint8_t *)outlet->out.text + begin;
    for (uint32_t i = 0; i < INTAKE_HEAD_BYTES; i++) {
        head[i] = (uint8_t)(length >> (24 - 8 * i));
    }
    outlet->out.comma = false;
}

int outlet_pass_fd(struct outlet *outlet, int fd)
{
    if (outlet->passed_fd >= 0) {
        return -EBUSY;
    }
    outlet->passed_fd = fd;
    return 0;
}

/* As uv_try_write(), with a descriptor. */
static int try_send_fd(struct outlet *outlet, uv_stream_t *stream)
{
    struct json_out *out = &outlet->out;
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
    memcpy(CMSG_DATA(part), &outlet->passed_fd, sizeof(int));
    if (uv_fileno((uv_handle_t *)stream, &socket) != 0) {
        return UV_EBADF;
    }
    ssize_t sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        fd_release(&outlet->passed_fd);
    }
    return sent >= 0 ? (int)sent : -errno;
}

/* What the socket did not take goes when it can. */
static int send_rest(struct outlet *outlet, uv_stream_t *stream, size_t sent, uv_write_cb on_sent,
                     void *context)
{
    struct json_out *out = &outlet->out;
    uv_buf_t rest = uv_buf_init(out->text + sent, (unsigned)(out->length - sent));
    outlet->write.data = context;
    int r = uv_write(&outlet->write, stream, &rest, 1, on_sent);
    if (r < 0) {
        return r;
    }
    outlet->sending = out->text;
    outlet->sending_bytes = rest.len;
    outlet->stuck_ns = clock_now_ns();
    *out = (struct json_out){0};
    return 1;
}

static void empty(struct json_out *out)
{
    out->length = 0;
    out->comma = false;
    if (out->room > KEPT_BYTES) {
        json_out_deinit(out);
        *out = (struct json_out){0};
    }
}

int outlet_send(struct outlet *outlet, uv_stream_t *stream, uv_write_cb on_sent, void *context)
{
    struct json_out *out = &outlet->out;
    if (outlet->sending) {
        return 1;
    }
    if (outlet->lost) {
        return -ENOMEM;
    }
    uv_buf_t all = uv_buf_init(out->text, (unsigned)out->length);
    bool has_fd = outlet->passed_fd >= 0;
    int sent = has_fd ? try_send_fd(outlet, stream) : uv_try_write(stream, &all, 1);
    if (sent < 0 && (sent != UV_EAGAIN || has_fd)) {
        return sent;
    }
    if (sent == (int)out->length) {
        empty(out);
        return 0;
    }
    return send_rest(outlet, stream, sent > 0 ? (size_t)sent : 0, on_sent, context);
}

void outlet_sent(struct outlet *outlet)
{
    free(outlet->sending);
    outlet->sending = NULL;
    outlet->sending_bytes = 0;
    outlet->stuck_ns = 0;
}
