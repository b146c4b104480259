/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/attachment.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/memfd.h"
#include "base/passing.h"
#include "cell/arena.h"
#include "cell/dial.h"
#include "cordon/outcome.h"
#include "lane/host.h"
#include "lane/identity.h"
#include "lane/provision.h"

#define HEAR_AT_ONCE       16
#define FLIGHT_PATIENCE_NS CLOCK_SECOND_NS

/* A message with what came along. */
struct letter {
    union lease_message message;
    size_t bytes;
    int fds[2]; /* -1 */
};

/* ---- Receiving ------------------------------------------------------------------------------- */

static bool is_sound(const struct letter *letter)
{
    static const size_t sizes[LEASE_KIND_COUNT] = {[LEASE_WELCOME] = sizeof(struct lease_welcome),
                                                   [LEASE_LEASED] = sizeof(struct lease_leased),
                                                   [LEASE_REFUSED] = sizeof(struct lease_refused),
                                                   [LEASE_ENDED] = sizeof(struct lease_ended)};
    const struct lease_head *head = &letter->message.head;
    return letter->bytes >= sizeof *head && head->magic == LEASE_MAGIC &&
           head->version == LEASE_VERSION && head->kind < LEASE_KIND_COUNT &&
           sizes[head->kind] == letter->bytes;
}

/* Returns 0, -EAGAIN: nothing is there; -EPIPE: the daemon is gone, or says what cannot be. */
static int receive(int socket, struct letter *letter)
{
    uint32_t count;
    ssize_t length =
        passing_receive(socket, &letter->message, sizeof letter->message, letter->fds, 2, &count);
    if (length <= 0) {
        return length == -EAGAIN ? -EAGAIN : -EPIPE;
    }
    letter->bytes = (size_t)length;
    if (!is_sound(letter)) {
        fd_release(&letter->fds[0]);
        fd_release(&letter->fds[1]);
        return -EPIPE;
    }
    return 0;
}

static int await_letter(int socket, uint64_t until_ns)
{
    for (;;) {
        uint64_t now_ns = clock_now_ns();
        if (now_ns >= until_ns) {
            return -ETIMEDOUT;
        }
        struct pollfd readable = {.fd = socket, .events = POLLIN};
        struct timespec timeout = clock_timespec(until_ns - now_ns);
        int r = ppoll(&readable, 1, &timeout, NULL);
        if (r != 0) {
            return r > 0 || errno == EINTR ? 0 : -errno;
        }
    }
}

/* ---- Welcome --------------------------------------------------------------------------------- */

static int map_sealed(int fd, int seals, uint64_t most, const void **ret_memory,
                      uint64_t *ret_bytes)
{
    uint64_t bytes;
    int r = memfd_judge(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | seals, &bytes);
    if (r < 0 || bytes == 0 || bytes > most) {
        return -EBADMSG;
    }
    void *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    (void)madvise(memory, bytes, MADV_DONTFORK);
    *ret_memory = memory;
    *ret_bytes = bytes;
    return 0;
}

static void unmap_board(const struct lease_board *board)
{
    if (board) {
        (void)munmap((void *)(uintptr_t)board, LEASE_BOARD_BYTES);
    }
}

static int map_board(struct attached_seat *seat, int fd)
{
    const void *memory = NULL;
    uint64_t bytes = 0;
    int r = map_sealed(fd, F_SEAL_FUTURE_WRITE, LEASE_BOARD_BYTES, &memory, &bytes);
    if (r < 0) {
        return r;
    }
    const struct lease_board *board = memory;
    if (bytes != LEASE_BOARD_BYTES || board->magic != LEASE_BOARD_MAGIC ||
        board->version != LEASE_VERSION) {
        (void)munmap((void *)(uintptr_t)memory, bytes);
        return -EBADMSG;
    }
    if (seat->worker != 0 && !seat->board_before) {
        seat->board_before = seat->board; /* somebody looks at it */
    } else {
        unmap_board(seat->board);
    }
    seat->board = board;
    return 0;
}

/* What this process knows is lent by the new plans as well, by the same ids. */
static bool plans_go_on(const struct attachment *attachment, const void *plans, uint64_t bytes)
{
    struct provision_item old;
    struct provision_item now;
    int64_t old_at = provision_begin(attachment->plans, attachment->plans_bytes);
    int64_t now_at = provision_begin(plans, bytes);
    if (now_at < 0) {
        return false;
    }
    while ((old_at = provision_next(attachment->plans, old_at, &old)) > 0) {
        now_at = provision_next(plans, now_at, &now);
        if (old.record.kind != PROVISION_BIND) {
            break;
        }
        if (now_at <= 0 || now.record.kind != PROVISION_BIND || now.record.id != old.record.id ||
            now.record.bytes != old.record.bytes ||
            memcmp(now.bytes, old.bytes, old.record.bytes) != 0) {
            return false;
        }
    }
    return true;
}

static int take_plans(struct attached_seat *seat, int fd)
{
    struct attachment *attachment = seat->attachment;
    struct stat status;
    const void *plans = NULL;
    uint64_t bytes = 0;
    if (fstat(fd, &status) < 0) {
        return -errno;
    }
    if (attachment->plans && status.st_ino == attachment->plans_inode) {
        seat->has_changed = false;
        return 0;
    }
    int r = map_sealed(fd, F_SEAL_WRITE, PROVISION_BYTES_MAX, &plans, &bytes);
    if (r < 0) {
        return r;
    }
    if (!attachment->plans) {
        attachment->plans = plans;
        attachment->plans_bytes = bytes;
        attachment->plans_inode = status.st_ino;
        return 0;
    }
    seat->has_changed = !plans_go_on(attachment, plans, bytes);
    (void)munmap((void *)(uintptr_t)plans, bytes);
    return 0;
}

static int take_welcome(struct attached_seat *seat, struct letter *letter)
{
    const struct lease_welcome *welcome = &letter->message.welcome;
    int r = welcome->identity == lane_client_identity() ? 0 : -EPROTO;
    r = r < 0 ? r : map_board(seat, letter->fds[0]);
    r = r < 0 ? r : take_plans(seat, letter->fds[1]);
    if (r == 0 && seat->attachment->welcome.identity == 0) {
        seat->attachment->welcome = *welcome;
    }
    return r;
}

/* ---- What comes ------------------------------------------------------------------------------ */

static void lose(struct attached_seat *seat)
{
    (void)pthread_mutex_lock(&seat->socket_lock);
    fd_release(&seat->socket);
    (void)pthread_mutex_unlock(&seat->socket_lock);
}

/* Whatever is no answer. */
static void take_news(struct attached_seat *seat, struct letter *letter)
{
    const struct lease_ended *ended = &letter->message.ended;
    if (letter->message.head.kind == LEASE_WELCOME && take_welcome(seat, letter) < 0) {
        lose(seat);
    }
    if (letter->message.head.kind == LEASE_ENDED && ended->worker == seat->worker) {
        seat->verdict = ended->verdict;
    }
    fd_release(&letter->fds[0]);
    fd_release(&letter->fds[1]);
}

bool attached_hear(struct attached_seat *seat)
{
    struct letter letter;
    for (int i = 0; i < HEAR_AT_ONCE && seat->socket >= 0; i++) {
        int r = receive(seat->socket, &letter);
        if (r == -EAGAIN) {
            break;
        }
        if (r < 0) {
            lose(seat);
        } else {
            take_news(seat, &letter);
        }
    }
    return seat->socket >= 0 && seat->verdict != LANE_KEEPER_LOST;
}

/* The answer to request @serial. */
static int await_answer(struct attached_seat *seat, uint64_t until_ns, struct letter *ret_letter)
{
    for (;;) {
        int r = seat->socket < 0 ? -EPIPE : receive(seat->socket, ret_letter);
        if (r == -EAGAIN) {
            r = await_letter(seat->socket, until_ns);
            if (r == 0) {
                continue;
            }
        }
        if (r < 0) {
            lose(seat);
            return r;
        }
        uint16_t kind = ret_letter->message.head.kind;
        /* Both answers have it at the same place. */
        if ((kind == LEASE_LEASED || kind == LEASE_REFUSED) &&
            ret_letter->message.leased.serial == seat->serial) {
            fd_release(&ret_letter->fds[0]);
            fd_release(&ret_letter->fds[1]);
            return 0;
        }
        take_news(seat, ret_letter);
        if (clock_now_ns() >= until_ns) {
            lose(seat); /* one that says other things without end */
            return -ETIMEDOUT;
        }
    }
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static int say_now(struct attached_seat *seat, const void *bytes, size_t length, const int *fds,
                   uint32_t fd_count)
{
    (void)pthread_mutex_lock(&seat->socket_lock);
    int r = seat->socket >= 0 ? passing_send(seat->socket, bytes, length, fds, fd_count) : -EPIPE;
    (void)pthread_mutex_unlock(&seat->socket_lock);
    return r;
}

/* The kernel tells nobody when fewer descriptors of this user are in flight: ask again soon. */
static int say(struct attached_seat *seat, const void *bytes, size_t length, const int *fds,
               uint32_t fd_count)
{
    uint64_t until_ns = clock_after_ns(FLIGHT_PATIENCE_NS);
    int r;
    while ((r = say_now(seat, bytes, length, fds, fd_count)) == -ETOOMANYREFS &&
           clock_now_ns() < until_ns) {
        struct timespec pause = clock_timespec(CLOCK_MS_NS);
        (void)nanosleep(&pause, NULL);
    }
    return r == 0 ? 0 : -EPIPE;
}

static int send_request(struct attached_seat *seat, const struct lane *lane,
                        const struct arena *arena)
{
    struct lease_request request = {
        .head = {.magic = LEASE_MAGIC, .version = LEASE_VERSION, .kind = LEASE_LEASE},
        .serial = ++seat->serial,
        .identity = lane_client_identity(),
    };
    int fds[LEASE_FDS_MAX] = {lane_peek_h_fd(lane), lane_peek_w_fd(lane)};
    uint32_t count = 2;
    if (lane_peek_event_fd(lane) >= 0) {
        request.flags |= LEASE_HAS_EVENT;
        fds[count++] = lane_peek_event_fd(lane);
    }
    if (arena) {
        request.flags |= LEASE_HAS_ARENA;
        request.arena_base = arena_base(arena);
        request.arena_bytes = arena_bytes(arena);
        fds[count++] = arena_peek_fd(arena);
    }
    return say(seat, &request, sizeof request, fds, count);
}

static int refused(struct attached_seat *seat, const struct lease_refused *refused,
                   struct message *why)
{
    char text[sizeof refused->text];
    memcpy(text, refused->text, sizeof text);
    if (why) {
        message_set_foreign(why, text, strnlen(text, sizeof text));
    }
    atomic_store_explicit(&seat->attachment->retry_ms, refused->retry_after_ms,
                          memory_order_relaxed);
    int outcome = refused->outcome;
    bool known =
        outcome == CORDON_OPEN || outcome == CORDON_BUSY || (outcome < 0 && outcome > -4096);
    return known ? outcome : -EPROTO;
}

int attached_lease(struct attached_seat *seat, const struct lane *lane, const struct arena *arena,
                   uint64_t until_ns, struct attached_worker *ret_worker, struct message *why)
{
    struct letter letter;
    (void)attached_hear(seat);
    if (seat->has_changed) {
        return message_set(why, -ESTALE,
                           "what the daemon lends has changed since this cell was attached: attach "
                           "again");
    }
    int r = send_request(seat, lane, arena);
    r = r < 0 ? r : await_answer(seat, until_ns, &letter);
    if (r < 0) {
        lose(seat);
        return message_set(why, r, "the daemon at %s is gone: %s", seat->attachment->gateway,
                           strerror(-r));
    }
    if (letter.message.head.kind == LEASE_REFUSED) {
        return refused(seat, &letter.message.refused, why);
    }
    if (seat->has_changed) {
        attached_end(seat);
        return message_set(why, -ESTALE, "what the daemon lends has changed: attach again");
    }
    seat->worker = letter.message.leased.worker;
    seat->verdict = LANE_ALIVE;
    *ret_worker = (struct attached_worker){.epoch = letter.message.leased.epoch,
                                           .report_id = letter.message.leased.report_id};
    return 0;
}

void attached_end(struct attached_seat *seat)
{
    struct lease_end end = {
        .head = {.magic = LEASE_MAGIC, .version = LEASE_VERSION, .kind = LEASE_END},
        .worker = seat->worker};
    if (seat->worker != 0) {
        (void)say(seat, &end, sizeof end, NULL, 0);
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

void attached_free(struct attached_seat *seat)
{
    struct attached_seat **link = &seat->attachment->seats;
    while (*link != seat) {
        link = &(*link)->next;
    }
    *link = seat->next;
    if (!seat->attachment->is_child) {
        unmap_board(seat->board);
        unmap_board(seat->board_before);
    }
    fd_release(&seat->socket);
    (void)pthread_mutex_destroy(&seat->socket_lock);
    free(seat);
}

void attached_forget_board(struct attached_seat *seat)
{
    unmap_board(seat->board_before);
    seat->board_before = NULL;
}

static int await_welcome(struct attached_seat *seat, uint64_t until_ns)
{
    while (!seat->board) {
        int r = await_letter(seat->socket, until_ns);
        struct letter letter;
        r = r < 0 ? r : receive(seat->socket, &letter);
        if (r == -EAGAIN) {
            continue;
        }
        if (r < 0) {
            return r;
        }
        r = letter.message.head.kind == LEASE_WELCOME ? take_welcome(seat, &letter) : -EPROTO;
        fd_release(&letter.fds[0]);
        fd_release(&letter.fds[1]);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int attached_new(struct attachment *attachment, uint64_t until_ns, struct attached_seat **ret_seat,
                 struct message *why)
{
    struct attached_seat *seat = calloc(1, sizeof *seat);
    if (!seat) {
        return message_set(why, -ENOMEM, "not enough memory for a seat");
    }
    seat->attachment = attachment;
    seat->socket = -1;
    seat->is_taken = true;
    (void)pthread_mutex_init(&seat->socket_lock, NULL);
    seat->next = attachment->seats;
    attachment->seats = seat;
    int r = dial(attachment->gateway, attachment->cell, until_ns, &seat->socket, why);
    if (r == 0) {
        r = await_welcome(seat, until_ns);
        if (r < 0) {
            (void)message_set(why, r, "%s: %s", attachment->gateway,
                              r == -EPROTO ? "the daemon is of another build of Cordon"
                                           : strerror(-r));
        }
    }
    if (r != 0) {
        attached_free(seat);
        return r;
    }
    *ret_seat = seat;
    return 0;
}
