/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "gateway/log.h"

#define FDS_START 3 /* where descriptors that were handed over begin */
#define FDS_MOST  64u

/* A whole number in the environment. False: it is not there, or none. */
static bool number_of(const char *name, uint64_t *ret_number)
{
    const char *text = getenv(name);
    char *end;
    if (!text || text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *ret_number = number;
    return errno == 0 && *end == '\0';
}

/* The variable beside @pid_name is meant for this process: one that inherited it by mistake is not. */
static bool is_ours(const char *pid_name, bool needed)
{
    uint64_t pid;
    return getenv(pid_name) ? number_of(pid_name, &pid) && pid == (uint64_t)getpid() : !needed;
}

static bool is_listening(int fd)
{
    int domain = 0;
    int type = 0;
    int listening = 0;
    socklen_t bytes = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &bytes) == 0 &&
           domain == AF_UNIX && type == SOCK_STREAM && listening;
}

static int take_listener(struct supervisor *supervisor, struct message *why)
{
    uint64_t count;
    if (!number_of("LISTEN_FDS", &count) || count == 0 || !is_ours("LISTEN_PID", true)) {
        return 0;
    }
    for (uint64_t i = 0; i < count && i < FDS_MOST; i++) {
        (void)fcntl(FDS_START + (int)i, F_SETFD, FD_CLOEXEC);
    }
    if (count != 1) {
        return message_set(why, -EINVAL,
                           "%llu sockets were handed over (LISTEN_FDS); the daemon takes one",
                           (unsigned long long)count);
    }
    int flags = fcntl(FDS_START, F_GETFL);
    if (flags < 0 || !is_listening(FDS_START)) {
        return message_set(why, -EINVAL,
                           "what was handed over (LISTEN_FDS) is not a listening Unix stream "
                           "socket: the socket unit wants ListenStream=/PATH and Accept=no");
    }
    if (fcntl(FDS_START, F_SETFL, flags | O_NONBLOCK) < 0) {
        return message_set(why, -errno, "the socket that was handed over: %s", strerror(errno));
    }
    supervisor->listen_fd = FDS_START;
    return 0;
}

/* Whoever set it may be gone: it is told what there is to tell, and nothing depends on it. */
static void find_notify(struct supervisor *supervisor)
{
    struct timeval wait = {.tv_usec = SUPERVISOR_WAIT_MS * 1000};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t length = path ? strlen(path) : 0;
    if (length == 0) {
        return;
    }
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof supervisor->notify.sun_path) {
        log_say(LOG_WARNING, "supervisor", NULL, "NOTIFY_SOCKET is no path of a Unix socket: %s",
                path);
        return;
    }
    supervisor->notify.sun_family = AF_UNIX;
    memcpy(supervisor->notify.sun_path, path, length);
    if (path[0] == '@') {
        supervisor->notify.sun_path[0] = '\0'; /* an abstract name: no NUL behind it */
    }
    supervisor->notify_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    supervisor->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (supervisor->notify_fd >= 0) {
        (void)setsockopt(supervisor->notify_fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    }
}

int supervisor_open(struct supervisor *supervisor, struct message *why)
{
    static const char *const variables[] = {"LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES",
                                            "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    uint64_t watchdog_us;
    *supervisor = (struct supervisor){.notify_fd = -1, .listen_fd = -1};
    int r = take_listener(supervisor, why);
    if (r != 0) {
        supervisor_close(supervisor);
        return r;
    }
    find_notify(supervisor);
    if (number_of("WATCHDOG_USEC", &watchdog_us) && is_ours("WATCHDOG_PID", false)) {
        supervisor->watchdog_ms = watchdog_us < 2000 ? 1 : watchdog_us / 1000;
    }
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        (void)unsetenv(variables[i]);
    }
    return 0;
}

static void tell(const struct supervisor *supervisor, const char *text, int flags)
{
    ssize_t sent;
    do {
        sent = supervisor->notify_fd >= 0
                   ? sendto(supervisor->notify_fd, text, strlen(text), flags | MSG_NOSIGNAL,
                            (const struct sockaddr *)&supervisor->notify, supervisor->notify_bytes)
                   : 0;
    } while (sent < 0 && errno == EINTR);
}

void supervisor_tell(const struct supervisor *supervisor, const char *format, ...)
{
    struct message text = {.text = ""};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text.text, sizeof text.text, format, args);
    va_end(args);
    tell(supervisor, text.text, 0);
}

void supervisor_tell_reloading(const struct supervisor *supervisor)
{
    supervisor_tell(supervisor,
                    "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading the configuration",
                    (unsigned long long)(clock_now_ns() / 1000));
}

void supervisor_feed_watchdog(const struct supervisor *supervisor)
{
    tell(supervisor, "WATCHDOG=1", MSG_DONTWAIT);
}

void supervisor_close(struct supervisor *supervisor)
{
    fd_release(&supervisor->notify_fd);
    fd_release(&supervisor->listen_fd);
}
