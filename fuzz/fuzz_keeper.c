/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aims at greeting_receive(), finding_make(), named_find(), taking_read_alarm(), taking_add_alarm(),
 * taking_add_standing(), hello_read(), hello_read_examination() and lane_violation_read(): what the keeper reads
 * of a worker beside its lane, and what the host reads of the keeper.
 *
 * How it works. The first byte of an input says which of these is tried, the rest is the worker's word (or the
 * keeper's). A worker's memory is this process's own, read the way a stranger's is, and ends where nothing is
 * mapped; a second thread rewrites one place of it. What is handed out twice, in a sentence and in a grant, must
 * be the same: else it was read twice.
 */
#include "keeper_scene.h"

#include "cell/hello.h"
#include "keeper/greeting.h"
#include "lane/errand.h"
#include "lane/identity.h"
#include "lane/start.h"
#include "lane/violation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES_MAX 8
#define FDS_MAX      3u
#define FDS_SEEN     64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- What a starting worker says --------------------------------------------------------------- */

/* One that nobody closed is one more. */
static int count_open(void)
{
    int count = 0;
    for (int fd = 0; fd < FDS_SEEN; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* Returns how many bytes it has. */
static size_t send_greeting(int socket, struct input *input)
{
    static const char kinds[] = {'N', 'L', 'R', 0};
    uint8_t shape[4];
    char bytes[1024];
    union {
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    props_take(input, shape, sizeof shape);
    size_t length = shape[0] == 'H' ? 2 : shape[0] % 4 == 0 ? 1 : shape[1] * 4u;
    uint32_t fds = shape[2] % (FDS_MAX + 1);
    struct iovec part = {bytes, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    props_take(input, bytes, sizeof bytes < length ? sizeof bytes : length);
    if (shape[0] == 'H') {
        bytes[0] = START_LISTENER_HERE;
    } else if (shape[3] % 8 != 0) {
        bytes[0] = kinds[shape[3] % sizeof kinds];
    }
    if (fds > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(fds * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fds * sizeof(int));
        for (uint32_t i = 0; i < fds; i++) {
            memcpy(CMSG_DATA(rights) + i * sizeof(int), &socket, sizeof socket);
        }
    }
    ssize_t sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? 0 : (size_t)sent;
}

static void expect_sound(const struct greeting *greeting, size_t length)
{
    if (greeting->kind == GREETING_LISTENER_HERE &&
        (length != 2 || greeting->number < 0 || greeting->number > UINT8_MAX)) {
        abort();
    }
    if ((greeting->listener >= 0) != (greeting->kind == GREETING_LISTENER) || greeting->error < 0 ||
        greeting->error > 255 || strnlen(greeting->why.text, MESSAGE_BYTES) == MESSAGE_BYTES ||
        (greeting->kind != GREETING_REFUSED && greeting->why.text[0]) ||
        (greeting->kind == GREETING_REFUSED && strlen(greeting->why.text) + 2 > length)) {
        abort();
    }
}

static void hear_greetings(struct input *input)
{
    int pair[2];
    struct greeting greeting;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        abort();
    }
    int open_before = count_open();
    for (int i = 0; i < MESSAGES_MAX && input->size > 0; i++) {
        size_t length = send_greeting(pair[1], input);
        greeting_receive(&greeting, pair[0]);
        expect_sound(&greeting, length);
        greeting_deinit(&greeting);
        if (count_open() != open_before) {
            abort();
        }
    }
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* ---- What a keeper says ------------------------------------------------------------------------ */

/* @bytes  mostly sound but for what the input makes of single ones. */
static size_t spoil(uint8_t *bytes, size_t size, struct input *input)
{
    uint8_t shape[2];
    props_take(input, shape, sizeof shape);
    while (input->size >= 3) {
        uint16_t at;
        props_take(input, &at, sizeof at);
        props_take(input, bytes + at % size, 1);
    }
    return shape[0] % 4 == 0 ? (shape[1] * 64u) % (size + 2) : size;
}

static void hear_hello(struct input *input)
{
    uint32_t mechanisms = 0;
    struct message why;
    struct errand_hello hello = {
        .magic = ERRAND_MAGIC, .version = ERRAND_VERSION, .identity = lane_identity()};
    uint8_t bytes[sizeof hello];
    memcpy(bytes, &hello, sizeof hello);
    size_t length = spoil(bytes, sizeof bytes, input);
    /* Just as long as it is: the first byte read beyond is found. */
    uint8_t *there = malloc(length + 1);
    memset(there, 0, length + 1);
    memcpy(there, bytes, length < sizeof bytes ? length : sizeof bytes);
    there = realloc(there, length ? length : 1);
    int r = hello_read(there, length, &mechanisms, &why);
    memcpy(&hello, bytes, sizeof hello);
    if ((r == 0) != (length == sizeof hello && hello.magic == ERRAND_MAGIC &&
                     hello.version == ERRAND_VERSION && hello.identity == lane_identity()) ||
        (r == 0 && mechanisms != hello.mechanisms)) {
        abort();
    }
    free(there);
}

static void hear_examination(struct input *input)
{
    static struct examination examination;
    static struct examination heard;
    struct message why;
    memset(&examination, 'x', sizeof examination);
    examination.magic = EXAMINATION_MAGIC;
    examination.version = EXAMINATION_VERSION;
    size_t length = spoil((uint8_t *)&examination, sizeof examination, input);
    uint8_t *there = malloc(length + 1);
    memset(there, 0, length + 1);
    memcpy(there, &examination, length < sizeof examination ? length : sizeof examination);
    there = realloc(there, length ? length : 1);
    if (hello_read_examination(there, length, &heard, &why) == 0) {
        for (size_t i = 0; i < EXAMINED_COUNT; i++) {
            if (strnlen(heard.rows[i].why, EXAMINATION_WHY_BYTES) == EXAMINATION_WHY_BYTES) {
                abort();
            }
        }
    }
    free(there);
}

static void read_violations(struct input *input)
{
    static struct lane_host_page h;
    uint8_t shape[2];
    props_take(input, shape, sizeof shape);
    props_take(input, h.violation, sizeof h.violation);
    for (uint32_t i = 0; i < LANE_VIOLATIONS; i++) {
        if (shape[0] >> i & 1) {
            atomic_store(&h.violation[i].number, i + 1);
        }
    }
    for (uint32_t number = 0; number <= 2 * LANE_VIOLATIONS; number++) {
        struct lane_act act;
        if (lane_violation_read(&h, number, &act) &&
            (number == 0 || act.number != number ||
             strnlen(act.act, sizeof act.act) == sizeof act.act ||
             strnlen(act.grant, sizeof act.grant) == sizeof act.grant)) {
            abort();
        }
    }
}

/* ---- Which ------------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct input * input) = {
        hear_greetings, scene_notice, scene_alarm, hear_hello, hear_examination, read_violations,
    };
    if (size >= 2) {
        struct input input = {data + 1, size - 1};
        tries[data[0] % (sizeof tries / sizeof tries[0])](&input);
    }
    return 0;
}
