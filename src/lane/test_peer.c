/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/test_peer.h"

#include "base/futex.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int serve_one(struct lane_end *end, const struct lane_order *order, bool outermost);

/* Wait for the answer to a callback, serving the calls from inside it. */
static int await_answer(struct lane_end *end, struct lane_order *ret_answer)
{
    for (;;) {
        int r = lane_end_take(end, true, ret_answer);
        if (r < 0 || ret_answer->verb == LANE_CALLBACK_RETURN) {
            return r;
        }
        r = serve_one(end, ret_answer, false);
        if (r < 0) {
            return r;
        }
    }
}

static int nest(struct lane_end *end, const struct lane_order *order, bool outermost)
{
    struct lane_order answer;
    uint64_t levels = order->words[0];
    lane_end_callback(end, 7, NULL, 0, &levels, 1, 0);
    int r = await_answer(end, &answer);
    if (r == 0) {
        lane_end_return(end, outermost, 0, 0, answer.words, 1, 0);
    }
    return r;
}

static int reverse(struct lane_end *end, const struct lane_order *order, bool outermost)
{
    for (uint32_t i = 0; i < order->byte_count && i < order->reply_bytes_max; i++) {
        order->reply[i] = order->bytes[order->byte_count - 1 - i];
    }
    lane_end_return(end, outermost, EAGAIN, -3, NULL, 0, order->byte_count);
    return 0;
}

static int ask_bytes(struct lane_end *end, const struct lane_order *order, bool outermost)
{
    uint32_t bytes = (uint32_t)order->words[0];
    uint8_t *frame = lane_end_callback_push(end, bytes);
    if (frame == NULL) {
        return -ENOSPC;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        frame[i] = (uint8_t)i;
    }
    struct lane_order answer;
    lane_end_callback(end, 8, frame, bytes, NULL, 0, bytes);
    int r = await_answer(end, &answer);
    uint64_t sum = 0;
    for (uint32_t i = 0; r == 0 && i < answer.byte_count; i++) {
        sum += answer.bytes[i];
    }
    lane_end_callback_pop(end, bytes);
    if (r == 0) {
        lane_end_return(end, outermost, 0, answer.status, &sum, 1, 0);
    }
    return r;
}

static int serve_one(struct lane_end *end, const struct lane_order *order, bool outermost)
{
    uint64_t sum;
    switch (order->tag) {
    case PEER_ADD:
        sum = order->words[0] + order->words[1];
        lane_end_return(end, outermost, 0, 0, &sum, 1, 0);
        return 0;
    case PEER_NEST:
        return nest(end, order, outermost);
    case PEER_REVERSE:
        return reverse(end, order, outermost);
    case PEER_ASK_BYTES:
        return ask_bytes(end, order, outermost);
    case PEER_HANG:
        while (atomic_load(&end->h->verdict) == LANE_ALIVE) {
            (void)futex_wait(&end->h->verdict, LANE_ALIVE, UINT64_MAX);
        }
        return -ESHUTDOWN;
    default:
        return -EBADMSG;
    }
}

int peer_serve(struct lane_end *end)
{
    for (;;) {
        struct lane_order order;
        int r = lane_end_take(end, false, &order);
        if (r == 0) {
            r = serve_one(end, &order, true);
        }
        if (r < 0) {
            return r;
        }
    }
}

static void *run_thread(void *context)
{
    struct peer *peer = context;
    peer->result = peer_serve(&peer->end);
    return NULL;
}

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

void peer_start_thread(struct peer *peer, const struct lane *lane)
{
    struct lane_host_page *h = lane_peek_h(lane);
    require(lane_end_init(&peer->end, h, h->h_bytes, lane_peek_w(lane), h->w_bytes,
                          lane_peek_event_fd(lane)) == 0);
    require(pthread_create(&peer->thread, NULL, run_thread, peer) == 0);
}

int peer_join(struct peer *peer)
{
    require(pthread_join(peer->thread, NULL) == 0);
    return peer->result;
}

void peer_map(struct lane_end *end, const struct lane *lane)
{
    struct stat h_stat;
    struct stat w_stat;
    require(fstat(lane_peek_h_fd(lane), &h_stat) == 0 && fstat(lane_peek_w_fd(lane), &w_stat) == 0);
    void *h = mmap(NULL, (size_t)h_stat.st_size, PROT_READ, MAP_SHARED, lane_peek_h_fd(lane), 0);
    void *w = mmap(NULL, (size_t)w_stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                   lane_peek_w_fd(lane), 0);
    require(h != MAP_FAILED && w != MAP_FAILED);
    require(lane_end_init(end, h, (uint32_t)h_stat.st_size, w, (uint32_t)w_stat.st_size,
                          lane_peek_event_fd(lane)) == 0);
}

void peer_start_process(struct peer *peer, const struct lane *lane)
{
    peer->pid = fork();
    require(peer->pid >= 0);
    if (peer->pid == 0) {
        peer_map(&peer->end, lane);
        _exit(peer_serve(&peer->end) == -ESHUTDOWN ? 0 : 1);
    }
}

int peer_wait(struct peer *peer)
{
    int status;
    require(waitpid(peer->pid, &status, 0) == peer->pid);
    return status;
}

int peer_open_both(struct lane **ret_lane, struct lane_end *ret_end)
{
    struct lane_options options = {
        .h_bytes = LANE_BYTES_MIN, .w_bytes = LANE_BYTES_MIN, .private_memory = true};
    int r = lane_open(&options, ret_lane);
    return r < 0 ? r
                 : lane_end_init(ret_end, lane_peek_h(*ret_lane), LANE_BYTES_MIN,
                                 lane_peek_w(*ret_lane), LANE_BYTES_MIN, -1);
}
