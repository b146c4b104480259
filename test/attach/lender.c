/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small daemon that lends a cell: one loop, the gateway's frames as far as cordon.attach needs them, and orders on
 * its standard input (rig.h). It answers each order with a line on its standard output.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "cordon/cordon.h"

#define INTERFACE                                                                                  \
    "struct pair { int a; int b; };\n"                                                             \
    "int abs(int j);\n"                                                                            \
    "size_t strlen(const char *s);\n"                                                              \
    "int usleep(unsigned usec);\n"                                                                 \
    "void abort(void);\n"                                                                          \
    "void _exit(int status);\n"                                                                    \
    "void srand(unsigned seed);\n"                                                                 \
    "int rand(void);\n"                                                                            \
    "int no_such_function(int x);\n"                                                               \
    "void memset(out uint8_t s[n], int value, size_t n);\n"                                        \
    "void bzero(resident struct pair *where, size_t bytes);\n"                                     \
    "within(s) void *memchr(const uint8_t s[n], int value, size_t n);\n"                           \
    "void qsort(inout uint8_t base[n * size], size_t n, size_t size,"                              \
    " int (*cmp)(uint8_t a[size], uint8_t b[size]) fails(0));\n"

struct daemon {
    struct cordon_lender *lender;
    struct cordon_cell *cell;
    struct cordon_cell *old; /* to be closed when nothing of it is lent */
    int listener;
    const char *faults;
    unsigned leases, workers, samples, cool_ms, idle_ms, deadline_max_ms, arena_bytes, deadline_ms;
};

static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "lender: %s: %s\n", what, why);
    exit(1);
}

static struct cordon_cell *open_cell(const struct daemon *daemon, const char *interface)
{
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    struct cordon_error error;
    struct cordon_cell *cell = NULL;
    struct cordon_function *seed = NULL;
    options.library = "";
    options.interface_text = interface;
    options.workers = daemon->workers;
    options.deadline_ms = daemon->deadline_ms;
    options.breaker_samples = daemon->samples;
    options.breaker_cool_down_ms = daemon->cool_ms;
    options.arena_bytes = daemon->arena_bytes;
    if (cordon_cell_open(&options, &cell, &error) != 0 ||
        cordon_bind(cell, "srand", 0, &seed, &error) != 0) {
        fail("cell", error.text);
    }
    struct cordon_value arg = cordon_uint(42);
    if (cordon_cell_on_start(cell, seed, &arg, 1, &error) != 0) {
        fail("on_start", error.text);
    }
    struct cordon_lend_options lend = {.size = sizeof lend,
                                       .leases = daemon->leases,
                                       .lease_idle_ms = daemon->idle_ms,
                                       .deadline_max_ms = daemon->deadline_max_ms};
    if (cordon_lender_offer(daemon->lender, cell, &lend, &error) != 0) {
        fail("offer", error.text);
    }
    return cell;
}

/* ---- The gateway's part ------------------------------------------------------------------------ */

static void answer(int client, const char *text, int fd)
{
    uint32_t length = (uint32_t)strlen(text);
    unsigned char head[4] = {(unsigned char)(length >> 24), (unsigned char)(length >> 16),
                             (unsigned char)(length >> 8), (unsigned char)length};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec parts[] = {{head, sizeof head}, {(void *)(uintptr_t)text, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    (void)sendmsg(client, &message, MSG_NOSIGNAL);
}

static int pidfd_of(int client)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0
               ? (int)syscall(SYS_pidfd_open, peer.pid, 0)
               : -1;
}

/* One request a connection; it is written at once, so it is read at once. */
static void serve(struct daemon *daemon)
{
    OWN_FD client = accept4(daemon->listener, NULL, NULL, SOCK_CLOEXEC);
    unsigned char head[4];
    char text[1024] = "";
    if (client < 0 || recv(client, head, sizeof head, MSG_WAITALL) != sizeof head) {
        return;
    }
    size_t length = (size_t)head[2] << 8 | head[3];
    if (length >= sizeof text || recv(client, text, length, MSG_WAITALL) != (ssize_t)length) {
        return;
    }
    OWN_FD process = pidfd_of(client);
    OWN_FD seat = -1;
    struct cordon_error error = {.text = "no such cell"};
    int r = strstr(text, "\"cell\":\"libc\"")
                ? cordon_lender_attach(daemon->lender, daemon->cell, process, &seat, &error)
                : -ENOENT;
    char refusal[2048];
    (void)snprintf(refusal, sizeof refusal, "{\"error\":{\"code\":%d,\"message\":\"%s\"}}",
                   r == -EAGAIN ? -32005 : -32602, error.text);
    answer(client, r == 0 ? "{\"result\":{\"protocol\":1}}" : refusal, seat);
}

/* ---- Orders ------------------------------------------------------------------------------------ */

static void replace(struct daemon *daemon, const char *interface, unsigned drain_ms)
{
    struct cordon_error error;
    struct cordon_cell *with = interface ? open_cell(daemon, interface) : NULL;
    if (cordon_lender_replace(daemon->lender, daemon->cell, with, drain_ms, &error) != 0) {
        fail("replace", error.text);
    }
    daemon->old = daemon->cell;
    daemon->cell = with;
}

static void print_stats(const struct daemon *daemon)
{
    struct cordon_lend_stats stats = {0};
    if (daemon->cell) {
        (void)cordon_lender_stats(daemon->lender, daemon->cell, &stats);
    }
    printf("%u %u %llu %llu %llu %llu %llu %llu %d\n", stats.seats, stats.leases,
           (unsigned long long)stats.lent, (unsigned long long)stats.refused,
           (unsigned long long)stats.crashes, (unsigned long long)stats.timeouts,
           (unsigned long long)stats.recalled, (unsigned long long)stats.lost, daemon->old ? 1 : 0);
}

static bool obey(struct daemon *daemon)
{
    char order[64] = "";
    unsigned number = 0;
    if (!fgets(order, sizeof order, stdin)) {
        return false;
    }
    if (sscanf(order, "replace %u", &number) == 1) {
        replace(daemon, INTERFACE, number);
    } else if (sscanf(order, "change %u", &number) == 1) {
        replace(daemon,
                "size_t strlen(const char *s);\nint abs(int j);\nvoid srand(unsigned seed);",
                number);
    } else if (sscanf(order, "withdraw %u", &number) == 1) {
        replace(daemon, NULL, number);
    }
    print_stats(daemon);
    (void)fflush(stdout);
    return true;
}

static void look_after_old(struct daemon *daemon)
{
    if (daemon->old && cordon_lender_leases(daemon->lender, daemon->old) == 0) {
        cordon_cell_close(daemon->old);
        daemon->old = NULL;
    }
}

static void run(struct daemon *daemon)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = daemon->listener, .events = POLLIN},
                               {.fd = cordon_lender_fd(daemon->lender), .events = POLLIN}};
        if (poll(fds, 3, -1) < 0) {
            continue;
        }
        if (fds[2].revents) {
            (void)cordon_lender_dispatch(daemon->lender);
        }
        if (fds[1].revents) {
            serve(daemon);
        }
        look_after_old(daemon);
        if (fds[0].revents && !obey(daemon)) {
            return;
        }
    }
}

static void read_argument(struct daemon *daemon, const char *argument)
{
    const struct {
        const char *name;
        unsigned *to;
    } known[] = {{"leases", &daemon->leases},
                 {"workers", &daemon->workers},
                 {"samples", &daemon->samples},
                 {"cool_ms", &daemon->cool_ms},
                 {"idle_ms", &daemon->idle_ms},
                 {"deadline_ms", &daemon->deadline_ms},
                 {"deadline_max_ms", &daemon->deadline_max_ms},
                 {"arena_bytes", &daemon->arena_bytes}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t length = strlen(known[i].name);
        if (strncmp(argument, known[i].name, length) == 0 && argument[length] == '=') {
            *known[i].to = (unsigned)strtoul(argument + length + 1, NULL, 10);
            return;
        }
    }
    fail("no such argument", argument);
}

static void listen_at(struct daemon *daemon, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)unlink(path);
    daemon->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (daemon->listener < 0 ||
        bind(daemon->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(daemon->listener, 64) != 0) {
        fail(path, strerror(errno));
    }
}

int main(int argc, char **argv)
{
    struct daemon daemon = {.listener = -1};
    struct cordon_error error;
    for (int i = 2; i < argc; i++) {
        read_argument(&daemon, argv[i]);
    }
    if (argc < 2 || cordon_lender_open(&daemon.lender, &error) != 0) {
        fail("start", argc < 2 ? "path of the socket, then name=number" : error.text);
    }
    daemon.cell = open_cell(&daemon, INTERFACE);
    listen_at(&daemon, argv[1]);
    print_stats(&daemon);
    (void)fflush(stdout);
    run(&daemon);
    cordon_lender_close(daemon.lender);
    cordon_cell_close(daemon.old);
    cordon_cell_close(daemon.cell);
    fd_release(&daemon.listener);
    (void)unlink(argv[1]);
    return 0;
}
