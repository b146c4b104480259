/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_DAEMON_PARTS_H
#define GATEWAY_DAEMON_PARTS_H

/* What a daemon consists of: for daemon.c and reload.c alone. Threads: the loop's. */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "gateway/daemon.h"
#include "gateway/gateway.h"
#include "gateway/listener.h"
#include "gateway/supervisor.h"

struct http;

struct daemon {
    uv_loop_t loop;
    struct gateway gateway;
    struct settings *settings; /* in force; their cells are in the houses */
    const struct daemon_options *options;
    struct supervisor supervisor;
    struct listener listener;
    struct http *http; /* NULL: off */
    uv_pipe_t server;
    uv_signal_t terminate;
    uv_signal_t interrupt;
    uv_signal_t hangup;
    uv_timer_t stop;
    uv_timer_t watchdog;
    uint64_t stop_ns; /* when it was asked for; 0: not yet */
    bool closing;
};

/* Whom @settings let in. */
struct access daemon_access(const struct settings *settings);

/* The supervisor hears that requests are served, by what, and @news (may be ""). */
void daemon_tell_ready(const struct daemon *daemon, const char *news);

#endif
