/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/passing.h"
#include "cell/cell.h"
#include "cell/lender.h"
#include "cordon/outcome.h"
#include "lane/identity.h"

#define MESSAGES_AT_ONCE 16
#define FIRST_FD         3

/* ---- Sending ----------------------------------------------------------------------------------- */

static void fill_head(struct lease_head *head, enum lease_kind kind)
{
    *head =
        (struct lease_head){.magic = LEASE_MAGIC, .version = LEASE_VERSION, .kind = (uint16_t)kind};
}

/* Without waiting: a client that does not read has no seat any more. */
static void say(struct lender_seat *seat, const void *bytes, size_t length, const int *fds,
                uint32_t fd_count)
{
    if (passing_send(seat->socket, bytes, length, fds, fd_count) < 0) {
        seat->broken = true;
    }
}

static void welcome(struct lender_seat *seat)
{
    const struct lending *lending = seat->lending;
    const struct cordon_cell *cell = lending->cell;
    struct lease_welcome message = {
        .identity = lane_client_identity(),
        .isolation = cell->isolation,
        .call_bytes = cell->options.call_bytes,
        .epoch = lending->epoch,
        .deadline_ms = cell->options.deadline_ms,
        .deadline_max_ms = lending->deadline_max_ns / CLOCK_MS_NS,
        .arena_bytes = cell->options.arena_bytes,
        .start_ms = cell->options.start_ms,
    };
    fill_head(&message.head, LEASE_WELCOME);
    int fds[] = {lending->board_fd, lending->plans_fd};
    say(seat, &message, sizeof message, fds, 2);
}

static void refuse(struct lender_seat *seat, int outcome, uint32_t retry_ms,
                   const struct message *why)
{
    struct lease_refused message = {
        .serial = seat->request.serial, .outcome = outcome, .retry_after_ms = retry_ms};
    fill_head(&message.head, LEASE_REFUSED);
    size_t length = strnlen(why->text, sizeof message.text - 1);
    memcpy(message.text, why->text, length);
    seat->lending->stats.refused++;
    say(seat, &message, sizeof message, NULL, 0);
}

void seat_tell_end(struct lender_seat *seat, uint32_t worker, uint32_t verdict)
{
    struct lease_ended message = {.worker = worker, .verdict = verdict};
    fill_head(&message.head, LEASE_ENDED);
    say(seat, &message, sizeof message, NULL, 0);
}

/* ---- A request --------------------------------------------------------------------------------- */

static void drop_request(struct lender_seat *seat)
{
    for (uint32_t i = 0; i < LEASE_FDS_MAX; i++) {
        fd_release(&seat->fds[i]);
    }
    seat->waiting = false;
}

static void grant(struct lender_seat *seat, struct lender_lease *lease, uint64_t report_id)
{
    struct lease_leased message = {.serial = seat->request.serial,
                                   .worker = lease->worker,
                                   .epoch = seat->lending->epoch,
                                   .report_id = report_id};
    fill_head(&message.head, LEASE_LEASED);
    seat->lease = lease;
    say(seat, &message, sizeof message, NULL, 0);
}

void seat_retry(struct lender_seat *seat, uint64_t now_ns)
{
    struct lender_lease *lease = NULL;
    uint64_t report_id = 0;
    uint32_t retry_ms = 0;
    struct message why = {.text = ""};
    if (!seat->waiting) {
        return;
    }
    int r = seat->lending->withdrawn
                ? message_set(&why, -ESHUTDOWN, "the daemon lends nothing of this cell any more")
                : lease_start(seat, &lease, &report_id, &retry_ms, &why);
    if (r == -EAGAIN && now_ns < seat->waiting_until_ns) {
        return;
    }
    if (r == 0) {
        grant(seat, lease, report_id);
    } else {
        refuse(seat, r == -EAGAIN ? CORDON_BUSY : r, retry_ms, &why);
    }
    drop_request(seat);
}

static void take_request(struct lender_seat *seat, const struct lease_request *request,
                         const int *fds, uint32_t fd_count)
{
    uint32_t next = 2;
    seat->request = *request;
    for (uint32_t i = 0; i < LEASE_FDS_MAX; i++) {
        seat->fds[i] = -1;
    }
    seat->fds[0] = fds[0];
    seat->fds[1] = fds[1];
    for (uint32_t i = 0; i < 2; i++) {
        if (request->flags & (1u << i) && next < fd_count) {
            seat->fds[2 + i] = fds[next++];
        }
    }
    seat->waiting = true;
    seat->waiting_until_ns = clock_after_ns(LENDER_PATIENCE_NS);
    seat_retry(seat, clock_now_ns());
}

static bool request_fits(const struct lender_seat *seat, const struct lease_request *request,
                         uint32_t fd_count)
{
    uint32_t flags = request->flags;
    return !seat->lease && !seat->waiting && (flags & ~3u) == 0 &&
           fd_count == 2u + (flags & 1u) + (flags >> 1);
}

/* ---- Listening --------------------------------------------------------------------------------- */

static bool head_fits(const union lease_message *message, size_t bytes)
{
    static const size_t sizes[LEASE_KIND_COUNT] = {
        [LEASE_LEASE] = sizeof(struct lease_request), [LEASE_END] = sizeof(struct lease_end)};
    const struct lease_head *head = &message->head;
    return bytes >= sizeof *head && head->magic == LEASE_MAGIC && head->version == LEASE_VERSION &&
           head->kind < LEASE_KIND_COUNT && sizes[head->kind] == bytes;
}

/* False: it breaks the rules. What is taken of @fds is -1 afterwards. */
static bool hear(struct lender_seat *seat, const union lease_message *message, size_t bytes,
                 int *fds, uint32_t fd_count)
{
    if (!head_fits(message, bytes)) {
        return false;
    }
    if (message->head.kind == LEASE_LEASE) {
        if (!request_fits(seat, &message->request, fd_count)) {
            return false;
        }
        take_request(seat, &message->request, fds, fd_count);
        for (uint32_t i = 0; i < fd_count; i++) {
            fds[i] = -1;
        }
        return true;
    }
    if (fd_count == 0 && seat->lease && seat->lease->worker == message->end.worker) {
        lease_end(seat->lease, ERRAND_UNSAID);
    }
    return fd_count == 0;
}

/* Returns 0, -EAGAIN: nothing is there; -EPIPE: the client is gone, or breaks the rules. */
static int hear_one(struct lender_seat *seat)
{
    union lease_message message;
    int fds[LEASE_FDS_MAX];
    uint32_t fd_count;
    ssize_t length =
        passing_receive(seat->socket, &message, sizeof message, fds, LEASE_FDS_MAX, &fd_count);
    if (length <= 0) {
        return length == -EAGAIN ? -EAGAIN : -EPIPE;
    }
    bool fits = hear(seat, &message, (size_t)length, fds, fd_count);
    for (uint32_t i = 0; i < LEASE_FDS_MAX; i++) {
        fd_release(&fds[i]);
    }
    return fits ? 0 : -EPIPE;
}

void seat_listen(struct lender_seat *seat)
{
    int r = 0;
    for (int i = 0; i < MESSAGES_AT_ONCE && r == 0 && !seat->broken; i++) {
        r = hear_one(seat);
    }
    if (r == -EPIPE) {
        seat->broken = true;
    }
}

/* ---- Life -------------------------------------------------------------------------------------- */

static int watch(struct cordon_lender *lender, int fd, struct lender_source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    return epoll_ctl(lender->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int watch_client(struct lender_seat *seat, int client_pidfd)
{
    struct cordon_lender *lender = seat->lending->lender;
    seat->source = (struct lender_source){.kind = LENDER_SEAT, .owner = seat};
    seat->process_source = (struct lender_source){.kind = LENDER_PROCESS, .owner = seat};
    int r = watch(lender, seat->socket, &seat->source);
    if (r < 0 || client_pidfd < 0) {
        return r;
    }
    seat->client_pidfd = fcntl(client_pidfd, F_DUPFD_CLOEXEC, FIRST_FD);
    return seat->client_pidfd < 0 ? -errno
                                  : watch(lender, seat->client_pidfd, &seat->process_source);
}

int seat_new(struct lending *lending, int client_pidfd, int *ret_client_fd, struct message *why)
{
    struct cordon_lender *lender = lending->lender;
    struct lender_seat *seat = calloc(1, sizeof *seat);
    int pair[2] = {-1, -1};
    if (!seat) {
        return message_set(why, -ENOMEM, "not enough memory for a client");
    }
    *seat = (struct lender_seat){
        .lending = lending, .socket = -1, .client_pidfd = -1, .fds = {-1, -1, -1, -1}};
    int r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 ? 0 : -errno;
    seat->socket = pair[0];
    OWN_FD theirs = pair[1];
    seat->next = lender->seats;
    lender->seats = seat;
    lending->stats.seats++;
    r = r < 0 ? r : watch_client(seat, client_pidfd);
    if (r == 0) {
        welcome(seat);
        r = seat->broken ? -EPIPE : 0;
    }
    if (r < 0) {
        seat_free(seat);
        return message_set(why, r, "no seat for a client: %s", strerror(-r));
    }
    *ret_client_fd = take_fd(&theirs);
    return 0;
}

void seat_free(struct lender_seat *seat)
{
    struct lender_seat **link = &seat->lending->lender->seats;
    while (*link != seat) {
        link = &(*link)->next;
    }
    *link = seat->next;
    seat->lending->stats.seats--;
    drop_request(seat);
    if (seat->lease) {
        lease_end(seat->lease, ERRAND_UNSAID);
    }
    if (seat->client_pidfd >= 0) {
        (void)epoll_ctl(seat->lending->lender->epoll, EPOLL_CTL_DEL, seat->client_pidfd, NULL);
    }
    fd_release(&seat->socket);
    fd_release(&seat->client_pidfd);
    free(seat);
}

void seat_move(struct lender_seat *seat, struct lending *lending)
{
    seat->lending->stats.seats--;
    seat->lending = lending;
    lending->stats.seats++;
    welcome(seat);
}
