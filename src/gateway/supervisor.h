/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_SUPERVISOR_H
#define GATEWAY_SUPERVISOR_H

/*
 * Supervisor: what systemd, or whoever speaks as it does, gives a daemon and wants to hear: sockets that were bound
 * beforehand (LISTEN_FDS), a datagram socket for states (NOTIFY_SOCKET), a watchdog (WATCHDOG_USEC). The protocols
 * are those of sd_listen_fds(3) and sd_notify(3), spoken here (docs/decisions/0016-the-supervisor-is-told-without-libsystemd.md).
 *
 * Without one nothing of this happens: no variable, no effect.
 *
 * Threads: the one that started; nothing here waits longer than SUPERVISOR_WAIT_MS.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/message.h"

#define SUPERVISOR_WAIT_MS 200u

struct supervisor {
    int notify_fd; /* -1: nobody listens */
    struct sockaddr_un notify;
    socklen_t notify_bytes;
    int listen_fd;        /* a listening Unix socket that was handed over; -1: none */
    uint64_t watchdog_ms; /* it wants to hear from us so often; 0: it does not */
};

/*
 * Take what was handed over; the variables are gone then, so that nobody else takes them for theirs. Before any
 * other descriptor is opened.
 *
 * Returns 0; -EINVAL: what was handed over is not one listening Unix stream socket; or another negative errno.
 */
int supervisor_open(struct supervisor *supervisor, struct message *why);

/* Variables in a text of lines: "READY=1\nSTATUS=...". Lost if it takes none for SUPERVISOR_WAIT_MS. */
void supervisor_tell(const struct supervisor *supervisor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "RELOADING=1", with the time that it wants beside it. A "READY=1" ends it. */
void supervisor_tell_reloading(const struct supervisor *supervisor);

/* The loop turns. Never waits. */
void supervisor_feed_watchdog(const struct supervisor *supervisor);

void supervisor_close(struct supervisor *supervisor);

#endif
